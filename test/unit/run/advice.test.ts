import { describe, expect, it } from "vitest";

import { adviceFor } from "../../../src/run/advice.ts";

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
