import { describe, expect, it } from "vitest";

import type { Verdict } from "../../../src/gateway/verdict.ts";
import { GatewayHealth } from "../../../src/run/gateway-health.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";
import { anAnswer, anError, aSilence, FakeGateway } from "../../fakes/fake-gateway.ts";

const FAILURE = { code: "code", message: "what it said", response: null };
const COMPLETED: Verdict = {
  class: "completed",
  summary: { model: "m", finishReason: "stop", usage: null },
  response: { status: 200, requestId: null, body: "{}" },
};
const DOWN: Verdict = { class: "retry", failure: FAILURE, possiblyBilled: false, outage: true };
const REFUSED: Verdict = { class: "pause-run", failure: FAILURE, trouble: "key" };
const BAD_ITEM: Verdict = { class: "fail-item", failure: FAILURE };
const THROTTLED: Verdict = {
  class: "throttled",
  failure: FAILURE,
  waitMs: null,
  limit: "unknown",
  requestsPerMinute: null,
  tokensPerMinute: null,
};

function aHealth(signal = new AbortController().signal): {
  clock: FakeClock;
  gateway: FakeGateway;
  health: GatewayHealth;
} {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock);
  return { clock, gateway, health: new GatewayHealth(gateway, clock, signal) };
}

describe("the gateway's health", () => {
  it("counts completed answers, without asking", async () => {
    const { gateway, health } = aHealth();
    health.note(COMPLETED);
    health.note(COMPLETED);
    await settle();
    expect([health.answersSeen, gateway.gets]).toEqual([2, []]);
  });

  it.each([
    ["a failure", DOWN],
    ["an answer that blames the account", REFUSED],
  ])("is asked after upon %s, and an answer counts", async (_name, verdict) => {
    const { gateway, health } = aHealth();
    health.note(verdict);
    await settle();
    expect([health.answersSeen, gateway.gets]).toEqual([1, ["/models"]]);
  });

  it.each([
    ["a bad item", BAD_ITEM],
    ["a throttling: only others that complete could blame the item", THROTTLED],
  ])("is not asked after upon %s", async (_name, verdict) => {
    const { gateway, health } = aHealth();
    health.note(verdict);
    await settle();
    expect([health.answersSeen, gateway.gets]).toEqual([0, []]);
  });

  it.each([
    ["silence", aSilence("refused")],
    ["a 502", anError(502, "")],
    ["a refusal", anError(401, "")],
  ])("counts no sign of life in %s", async (_name, models) => {
    const { gateway, health } = aHealth();
    gateway.models = models;
    health.note(DOWN);
    await settle();
    expect(health.answersSeen).toBe(0);
  });

  it("is asked after every five seconds at most", async () => {
    const { clock, gateway, health } = aHealth();
    gateway.models = aSilence("refused");
    for (let second = 0; second < 11; second += 1) {
      health.note(DOWN);
      await clock.advance(1_000);
    }
    expect(gateway.gets).toHaveLength(3);
  });

  it("is not asked after where an answer has just come", async () => {
    const { clock, gateway, health } = aHealth();
    health.note(COMPLETED);
    await clock.advance(4_999);
    health.note(DOWN);
    await settle();
    expect(gateway.gets).toEqual([]);
    await clock.advance(1);
    health.note(DOWN);
    await settle();
    expect(gateway.gets).toEqual(["/models"]);
  });

  it("takes it for a sign of life when the gateway has no such list", async () => {
    const { gateway, health } = aHealth();
    gateway.models = anAnswer(404, "{}");
    health.note(DOWN);
    await settle();
    expect(health.answersSeen).toBe(1);
  });

  it("says nothing when asking was aborted", async () => {
    const { health } = aHealth(AbortSignal.abort(new Error("the run ends")));
    health.note(DOWN);
    await settle();
    expect(health.answersSeen).toBe(0);
  });
});
