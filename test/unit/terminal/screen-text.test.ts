import { describe, expect, it } from "vitest";

import { clip, manyLines, oneLine, widthOf } from "../../../src/terminal/screen-text.ts";

describe("widthOf", () => {
  it.each([
    ["plain", 5],
    ["余额不足", 8],
    ["，。", 4],
    ["한국어", 6],
    ["ﾊﾝｶｸ", 4],
    ["🚀", 2],
    ["☎️", 2],
    ["e\u0301", 1],
    ["𠮷", 2],
  ])("gives %s %d columns", (text, columns) => {
    expect(widthOf(text)).toBe(columns);
  });
});

describe("clip", () => {
  it("leaves alone what fits", () => {
    expect(clip("余额", 4)).toBe("余额");
  });

  it("never cuts a wide character in half", () => {
    expect(clip("余额不足", 6)).toBe("余额…");
  });

  it("takes another mark where there is no Unicode", () => {
    expect(clip("abcdefgh", 6, "...")).toBe("abc...");
  });

  it("gives nothing where not even the mark fits", () => {
    expect(clip("abcdefgh", 2, "...")).toBe("");
  });
});

describe("oneLine", () => {
  it.each([
    ["escape sequences", "a\u001B[2J\u001B[31mb", "ab"],
    ["line breaks", "a\r\nb\tc", "a b c"],
    ["bells", "a\u0007b", "a b"],
    ["marks that turn the direction of writing", "a\u202Eb", "ab"],
    ["halves of a character", "a\uD800b", "a\uFFFDb"],
  ])("takes out %s", (_what, text, clean) => {
    expect(oneLine(text)).toBe(clean);
  });
});

describe("manyLines", () => {
  it("keeps line breaks and indents, and nothing else that steers a terminal", () => {
    expect(manyLines("a:\r\n  \u001B[2Jb\u0007\n")).toBe("a:\n  b");
  });
});
