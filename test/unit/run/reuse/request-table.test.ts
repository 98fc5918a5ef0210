import { createHash } from "node:crypto";

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { HASH_BYTES } from "../../../../src/job/request-hash.ts";
import { RequestTable } from "../../../../src/run/reuse/request-table.ts";

function hashOf(request: string): Buffer {
  return createHash("sha256").update(request).digest().subarray(0, HASH_BYTES);
}

function tableOf(requests: readonly string[]): RequestTable {
  const table = new RequestTable();
  for (const request of requests) table.add(hashOf(request));
  return table;
}

describe("the requests of a run", () => {
  test("have the first item that asks each to lead the others", () => {
    const table = tableOf(["a", "b", "a", "c", "b", "a"]);
    expect([0, 1, 2, 3, 4, 5].map((index) => table.leaderOf(index))).toEqual([0, 1, 0, 3, 1, 0]);
    expect([table.size, table.distinct]).toEqual([6, 3]);
  });

  test("follow another item when it leads", () => {
    const table = tableOf(["a", "b", "a", "a"]);
    table.lead(2);
    expect([0, 1, 2, 3].map((index) => table.leaderOf(index))).toEqual([2, 1, 2, 2]);
  });

  test("say of each whether it came before", () => {
    const table = new RequestTable();
    expect(["a", "b", "a"].map((request) => table.add(hashOf(request)))).toEqual([
      false,
      false,
      true,
    ]);
    expect([table.has(hashOf("b")), table.has(hashOf("c"))]).toEqual([true, false]);
    expect(table.hashOf(1)).toEqual(hashOf("b"));
  });

  test("are told apart by every part of the hash", () => {
    const zeros = Buffer.alloc(HASH_BYTES);
    const table = new RequestTable();
    table.add(zeros);
    for (let at = 0; at < HASH_BYTES; at += 4) {
      const other = Buffer.from(zeros);
      other[at] = 1;
      expect(table.has(other)).toBe(false);
      expect(table.add(other)).toBe(false);
    }
  });

  test("are found again however many there are", () => {
    const requests = Array.from({ length: 30_000 }, (_, index) => String((index * 7) % 20_000));
    const table = tableOf(requests);
    const first = new Map<string, number>();
    for (const [index, request] of requests.entries()) {
      if (!first.has(request)) first.set(request, index);
      expect(table.leaderOf(index)).toBe(first.get(request));
    }
    expect(table.distinct).toBe(first.size);
  });

  test("keep what was said of them while the table grows", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9)), fc.nat(50), (numbers, at) => {
        const table = tableOf(numbers.map(String));
        if (at >= numbers.length) return;
        table.lead(at);
        for (let more = 0; more < 10_000; more += 1) table.add(hashOf(`more ${more}`));
        for (const [index, number] of numbers.entries()) {
          const expected = number === numbers[at] ? at : numbers.indexOf(number);
          expect(table.leaderOf(index)).toBe(expected);
        }
      }),
      { numRuns: 10 },
    );
  });
});
