import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { DuplicateFinder, hashOf } from "../../../src/input/duplicates.ts";

function suspectsAmong(ids: Iterable<string>): ReadonlySet<bigint> {
  const finder = new DuplicateFinder();
  for (const id of ids) finder.add(id);
  return finder.suspects();
}

describe("a lookup", () => {
  it("knows every id that was noted, and no other", () => {
    const finder = new DuplicateFinder();
    for (let at = 0; at < 5_000; at += 1) finder.add(`row-${at}`);
    const has = finder.lookup();
    for (let at = 0; at < 5_000; at += 1) expect(has(`row-${at}`)).toBe(true);
    for (let at = 5_000; at < 10_000; at += 1) expect(has(`row-${at}`)).toBe(false);
    expect(new DuplicateFinder().lookup()("row-1")).toBe(false);
  });
});

describe("the finder of duplicates", () => {
  it("suspects every id that was added twice, and no other", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" })), fc.nat(), (ids, seed) => {
        const twice = ids.filter((_, at) => (seed >> (at % 31)) & 1);
        expect(suspectsAmong([...ids, ...twice])).toEqual(new Set(twice.map(hashOf)));
      }),
    );
  });

  it.each([
    ["counted", (at: number) => String(at)],
    ["padded", (at: number) => `request-${String(at).padStart(9, "0")}`],
    ["Chinese", (at: number) => `评论${at}`],
  ])("suspects none of 300 000 different ids (%s)", (_name, id) => {
    const finder = new DuplicateFinder();
    for (let at = 0; at < 300_000; at += 1) finder.add(id(at));
    expect(finder.suspects().size).toBe(0);
  });

  it("finds one duplicate among 300 000", () => {
    const finder = new DuplicateFinder();
    for (let at = 0; at < 300_000; at += 1) finder.add(`id-${at}`);
    finder.add("id-77");
    expect(finder.suspects()).toEqual(new Set([hashOf("id-77")]));
  });
});
