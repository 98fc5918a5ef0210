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

  it("is asked after on request, and an answer counts", async () => {
    const { gateway, health } = aHealth();
    await health.look();
    expect([health.answersSeen, gateway.gets]).toEqual([1, ["/models"]]);
  });

  it("takes no failure for a sign of life, and none for a reason to ask", async () => {
    const { gateway, health } = aHealth();
    for (const verdict of [DOWN, REFUSED, BAD_ITEM, THROTTLED]) health.note(verdict);
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
    await health.look();
    expect(health.answersSeen).toBe(0);
  });

  it("is asked after once a second at most; whoever comes meanwhile waits for the same answer", async () => {
    const { clock, gateway, health } = aHealth();
    await Promise.all([health.look(), health.look()]);
    await clock.advance(999);
    await health.look();
    expect([health.answersSeen, gateway.gets.length]).toEqual([1, 1]);
    await clock.advance(1);
    await health.look();
    expect([health.answersSeen, gateway.gets.length]).toEqual([2, 2]);
  });

  it("takes it for a sign of life when the gateway has no such list", async () => {
    const { gateway, health } = aHealth();
    gateway.models = anAnswer(404, "{}");
    await health.look();
    expect(health.answersSeen).toBe(1);
  });

  it("says nothing when asking was aborted", async () => {
    const { health } = aHealth(AbortSignal.abort(new Error("the run ends")));
    await health.look();
    expect(health.answersSeen).toBe(0);
  });
});
