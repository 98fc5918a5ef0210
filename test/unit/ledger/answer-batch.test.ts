import { describe, expect, test } from "vitest";

import { AnswerBatch } from "../../../src/ledger/answer-batch.ts";

function hash(start: string): string {
  return start.padEnd(32, "0");
}

function content(batch: AnswerBatch): [string, number][] {
  const all: [string, number][] = [];
  batch.inOrder((request, offset) => all.push([request.toString("hex"), offset]));
  return all;
}

describe("a batch of answers", () => {
  test("is told in the order of its hashes", () => {
    const batch = new AnswerBatch(3);
    batch.add(hash("ff"), 10);
    batch.add(hash("00"), 2 ** 40);
    batch.add(hash("80"), 0);
    expect(content(batch)).toEqual([
      [hash("00"), 2 ** 40],
      [hash("80"), 0],
      [hash("ff"), 10],
    ]);
  });

  test("orders hashes that begin alike by what follows", () => {
    const batch = new AnswerBatch(3);
    for (const [at, end] of ["02", "01", "03"].entries()) batch.add(`${"7".repeat(30)}${end}`, at);
    expect(content(batch).map(([, offset]) => offset)).toEqual([1, 0, 2]);
  });

  test("is full after as many as it was made for, and empty when cleared", () => {
    const batch = new AnswerBatch(2);
    batch.add(hash("01"), 1);
    expect(batch.isFull).toBe(false);
    batch.add(hash("02"), 2);
    expect(batch.isFull).toBe(true);
    batch.clear();
    batch.add(hash("03"), 3);
    expect(content(batch)).toEqual([[hash("03"), 3]]);
  });
});
