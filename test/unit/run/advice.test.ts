import { describe, expect, it } from "vitest";

import { adviceFor, retryCommand } from "../../../src/run/advice.ts";

describe("the advice about failed items", () => {
  it.each([
    ["timeout", "retry", /--timeout/],
    ["truncated", "item", /max_tokens/],
    ["context_length_exceeded", "item", /Shorten/],
    ["rate_limited", "throttled", /--rpm/],
  ])("for %s knows its cause", (code, kind, advice) => {
    expect(adviceFor(code, kind)).toMatch(advice);
  });

  it.each([
    ["throttled", /--rpm/],
    ["retry", /later/],
    ["item", /Look at the message/],
  ])("for an unknown code goes by its kind: %s", (kind, advice) => {
    expect(adviceFor("quota_of_the_moon", kind)).toMatch(advice);
  });

  it("is text for a code that is also a name of JavaScript's", () => {
    expect(adviceFor("constructor", "retry")).toMatch(/later/);
  });
});

describe("the command that asks failed items again", () => {
  it("names their cause", () => {
    expect(retryCommand("runs/my run", "timeout", { max_tokens: 100 })).toBe(
      "nightshift retry 'runs/my run' --where code=timeout",
    );
  });

  it.each([
    [{ max_tokens: 100 }, "max_tokens=200"],
    [{ max_completion_tokens: 50 }, "max_completion_tokens=100"],
    [{}, "max_tokens=<more>"],
  ])("gives cut answers more room: %j", (params, param) => {
    expect(retryCommand("run", "truncated", params)).toBe(
      `nightshift retry run --where code=truncated --param ${param}`,
    );
  });
});
