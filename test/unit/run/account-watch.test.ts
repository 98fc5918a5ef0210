import { describe, expect, it } from "vitest";

import type { Trouble, Verdict } from "../../../src/gateway/verdict.ts";
import { accountStop, AccountWatch } from "../../../src/run/account-watch.ts";

const COMPLETED: Verdict = {
  class: "completed",
  summary: { model: "m", finishReason: "stop", usage: null },
  response: { status: 200, requestId: null, body: "{}" },
};
const BUSY: Verdict = {
  class: "throttled",
  failure: { code: "rate_limited", message: "slower", response: null },
  waitMs: null,
  limit: "unknown",
  requestsPerMinute: null,
  tokensPerMinute: null,
};
const BROKEN: Verdict = {
  class: "retry",
  failure: { code: "http_500", message: "broken", response: null },
  possiblyBilled: false,
  outage: true,
};

function refusal(trouble: Trouble = "balance"): Verdict {
  const failure = { code: "insufficient_balance", message: "额度不足", response: null };
  return { class: "pause-run", trouble, failure };
}

function badItem(code = "invalid_prompt"): Verdict {
  return { class: "fail-item", failure: { code, message: "no such parameter", response: null } };
}

/** How many of these verdicts it takes to stop the run; null where they do not. */
function stopsAfter(...verdicts: Verdict[]): number | null {
  const watch = new AccountWatch(false);
  const at = verdicts.findIndex((verdict, index) => watch.note(verdict, index)?.action === "stop");
  return at === -1 ? null : at + 1;
}

function times(count: number, verdict: Verdict): Verdict[] {
  return Array.from({ length: count }, () => verdict);
}

describe("the watch over the account", () => {
  it("stops the run after five answers that blame the account", () => {
    expect(stopsAfter(...times(10, refusal()))).toBe(5);
  });

  it("counts different troubles together", () => {
    expect(stopsAfter(...times(4, refusal("key")), refusal("quota"))).toBe(5);
  });

  it.each(["base-url", "model"] as const)(
    "does not stop for one item alone that brings %s trouble into a run that goes well, until chance is out of the question",
    (trouble) => {
      const watch = new AccountWatch(true);
      const stops = (index: number): boolean => watch.note(refusal(trouble), index) !== null;
      expect(times(19, refusal()).some(() => stops(7))).toBe(false);
      expect(stops(7)).toBe(true);
    },
  );

  it("stops for several items, or for what no item can bring about", () => {
    const several = new AccountWatch(true);
    const found = [1, 1, 1, 1, 2].map((index) => several.note(refusal("model"), index));
    expect(found.map((finding) => finding?.action)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      "stop",
    ]);
    const alone = new AccountWatch(true);
    expect(
      times(5, refusal("balance"))
        .map((v) => alone.note(v, 7))
        .at(-1)?.action,
    ).toBe("stop");
  });

  it("asks for the list of models first when a key is refused, as one bad channel would", () => {
    const watch = new AccountWatch(false);
    const found = times(20, refusal("key")).map(
      (verdict, index) => watch.note(verdict, index)?.action ?? "-",
    );
    expect(found.join(" ")).toBe(`- - - - ask ${"- ".repeat(14)}stop`);
  });

  it("begins anew with every success", () => {
    const four = times(4, refusal());
    expect(stopsAfter(...four, COMPLETED, ...four, COMPLETED, ...four)).toBeNull();
  });

  it.each([
    ["a throttling", BUSY],
    ["a failure", BROKEN],
    ["a bad item", badItem()],
  ])("does not take %s for a success", (_name, verdict) => {
    expect(stopsAfter(...times(4, refusal()), verdict, refusal())).toBe(6);
  });

  it("says what is the matter and what to do", () => {
    const watch = new AccountWatch(false);
    const [stop] = times(5, refusal()).flatMap(
      (verdict, index) => watch.note(verdict, index)?.reason ?? [],
    );
    expect(stop).toMatchObject({ reason: "account", message: "额度不足" });
    expect(stop?.remedy).toMatch(/^Top up the account.*run the same command again/);
  });

  it.each<Trouble>(["key", "balance", "quota", "model", "permission", "base-url", "blocked"])(
    "has advice about trouble with: %s",
    (trouble) => {
      expect(accountStop(trouble, "no").remedy).toMatch(/^[A-Z].+ Then run the same command again/);
    },
  );
});

describe("the watch over the first items", () => {
  it("stops the run when each of the first twenty fails in the same way", () => {
    expect(stopsAfter(...times(30, badItem()))).toBe(20);
  });

  it("names the error and the way on", () => {
    const watch = new AccountWatch(false);
    const [stop] = times(20, badItem()).flatMap(
      (verdict, index) => watch.note(verdict, index)?.reason ?? [],
    );
    expect(stop).toMatchObject({
      reason: "account",
      message: expect.stringContaining("(invalid_prompt): no such parameter") as string,
      remedy: expect.stringMatching(/--new .*names the directory, in another one/) as string,
    });
  });

  it("lets the run go on once any item has completed", () => {
    expect(stopsAfter(...times(19, badItem()), COMPLETED, ...times(50, badItem()))).toBeNull();
  });

  it("lets the run go on once one has failed differently", () => {
    expect(stopsAfter(badItem(), badItem("http_404"), ...times(50, badItem()))).toBeNull();
  });

  it("lets a run go on that has brought outcomes before", () => {
    const watch = new AccountWatch(true);
    expect(times(50, badItem()).some((verdict, index) => watch.note(verdict, index) !== null)).toBe(
      false,
    );
  });

  it("does not count calls that are made again", () => {
    const calls = [BROKEN, BUSY, ...times(19, badItem()), BROKEN, badItem()];
    expect(stopsAfter(...calls)).toBe(calls.length);
  });
});
