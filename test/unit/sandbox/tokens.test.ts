import { describe, expect, it } from "vitest";

import { cutToTokens, tokensOf, weigh } from "../../../src/sandbox/tokens.ts";

describe("token estimate", () => {
  it.each([
    ["", 0],
    ["a", 1],
    ["abcd", 1],
    ["abcde", 2],
    ["你好你好你", 4],
    ["你好你好你好", 5],
    ["😀", 1],
    ["abcd😀你", 3],
  ])("of %j is %d", (text, tokens) => {
    expect(tokensOf(weigh(text))).toBe(tokens);
  });

  it("cuts a text to at most so many tokens", () => {
    expect(cutToTokens("abcdefghij", 2)).toBe("abcdefgh");
  });

  it("leaves a short text whole", () => {
    expect(cutToTokens("abc", 2)).toBe("abc");
  });

  it("never cuts a character in half", () => {
    expect(cutToTokens("😀😀😀", 1)).toBe("😀");
  });
});
