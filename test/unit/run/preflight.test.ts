import { pino } from "pino";
import { describe, expect, it } from "vitest";

import type { Reply } from "../../../src/gateway/reply.ts";
import type { RunEvent } from "../../../src/run/events.ts";
import { GatewayHealth } from "../../../src/run/gateway-health.ts";
import { outageStop, preflight } from "../../../src/run/preflight.ts";
import type { FakeClock } from "../../fakes/fake-clock.ts";
import { anAnswer, anError, aSilence, FakeGateway } from "../../fakes/fake-gateway.ts";
import { aJob, anOrder, aScan, aScene } from "./jobs.ts";

interface Flight {
  readonly clock: FakeClock;
  readonly gateway: FakeGateway;
  readonly health: GatewayHealth;
  readonly events: RunEvent[];
  readonly stop: AbortController;
  /** What came of it: nothing yet, its end, or an error. */
  readonly came: { ended?: true; error?: unknown };
}

function aFlight(
  models: Reply,
  {
    wanted = ["gpt-4o-mini"],
    maxOutageMs = 60_000,
  }: { wanted?: string[]; maxOutageMs?: number } = {},
): Flight {
  const { order, clock, events } = anOrder({ job: aJob({ maxOutageMs }) });
  const gateway = new FakeGateway(clock);
  gateway.models = models;
  const stop = new AbortController();
  const { signal } = stop;
  const health = new GatewayHealth(gateway, clock, signal);
  const scene = aScene(order, { scan: aScan({ models: wanted }) });
  const came: Flight["came"] = {};
  preflight({ client: gateway, scene, health, signal, log: pino({ level: "silent" }) }).then(
    () => (came.ended = true),
    (error: unknown) => (came.error = error),
  );
  return { clock, gateway, health, events, stop, came };
}

function offering(...names: string[]): Reply {
  return anAnswer(200, JSON.stringify({ data: names.map((id) => ({ id })) }));
}

describe("the preflight", () => {
  it("goes on when the gateway offers the model, and has seen it work", async () => {
    const { clock, came, health } = aFlight(offering("gpt-4o-mini", "other"));
    await clock.advance(0);
    expect([came, health.answersSeen]).toEqual([{ ended: true }, 1]);
  });

  it.each([
    ["does not list its models", anAnswer(404)],
    ["lists none at all", offering()],
  ])("goes on when the gateway %s", async (_name, models) => {
    const { clock, came } = aFlight(models);
    await clock.advance(0);
    expect(came).toEqual({ ended: true });
  });

  it("goes on when some of several models are offered: the others fail as items", async () => {
    const { clock, came } = aFlight(offering("a"), { wanted: ["a", "b"] });
    await clock.advance(0);
    expect(came).toEqual({ ended: true });
  });

  it("stops the run when no model it wants is offered", async () => {
    const { clock, came } = aFlight(offering("a"), { wanted: ["b", "c"] });
    await clock.advance(0);
    expect(came.error).toMatchObject({
      reason: "account",
      message: "the gateway does not offer `b`, `c` to this key",
    });
  });

  it("stops the run at the first answer that blames the account", async () => {
    const { clock, came, gateway } = aFlight(anError(401, "", "Invalid token"));
    await clock.advance(0);
    expect(came.error).toMatchObject({
      reason: "account",
      message: "http://gateway.test/v1 refuses: Invalid token",
      remedy: expect.stringContaining("NIGHTSHIFT_API_KEY") as string,
    });
    expect(gateway.gets).toHaveLength(1);
  });

  it("waits for a gateway that is away, 1, 2, 4 … 60 s", async () => {
    const { clock, came, gateway } = aFlight(aSilence("refused"), { maxOutageMs: 1_000_000 });
    const began = clock.now();
    const asked: number[] = [];
    for (let second = 0; second < 245; second += 1) {
      await clock.advance(1_000);
      if (gateway.gets.length > asked.length + 1) asked.push((clock.now() - began) / 1_000);
    }
    expect(asked).toEqual([1, 3, 7, 15, 31, 63, 123, 183, 243]);
    gateway.models = offering("gpt-4o-mini");
    await clock.advance(60_000);
    expect([came, clock.pending]).toEqual([{ ended: true }, 0]);
  });

  it("says once that it waits", async () => {
    const { clock, events } = aFlight(aSilence("refused"), { maxOutageMs: 1_000_000 });
    await clock.advance(300_000);
    expect(events).toEqual([
      {
        event: "warning",
        message: expect.stringContaining(
          "http://gateway.test/v1 does not answer (refused)",
        ) as string,
      },
    ]);
  });

  it("gives up when the gateway stays away for longer than the job allows", async () => {
    const { clock, came } = aFlight(anError(502, "", "Bad Gateway"), { maxOutageMs: 60_000 });
    await clock.advance(59_000);
    expect(came).toEqual({});
    await clock.advance(1_000);
    expect(came.error).toMatchObject({
      reason: "outage",
      message: expect.stringContaining("Bad Gateway") as string,
    });
  });

  it("ends with the signal, and leaves no timer", async () => {
    const { clock, came, stop } = aFlight(aSilence("refused"));
    await clock.advance(500);
    const reason = new Error("the run ends");
    stop.abort(reason);
    await clock.advance(0);
    expect([came, clock.pending]).toEqual([{ error: reason }, 0]);
  });
});

describe("the stop for an outage", () => {
  it("says how long it has lasted and how to go on", () => {
    expect(outageStop("Bad Gateway", 3_600_000)).toMatchObject({
      reason: "outage",
      message: "the gateway has been away for 1h 00m: Bad Gateway",
      remedy: expect.stringContaining("--max-outage") as string,
    });
  });
});
