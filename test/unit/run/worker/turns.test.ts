import * as fc from "fast-check";
import { expect, test } from "vitest";

import { Turns } from "../../../../src/run/worker/turns.ts";
import { settle } from "../../../fakes/fake-clock.ts";

const NEVER = new AbortController().signal;

/** Takes turns for a line and notes each that it gets. */
function queueUp(turns: Turns, line: { name: string }, times: number, got: string[]): void {
  for (let time = 0; time < times; time += 1) {
    void turns.take(line, NEVER).then(() => got.push(line.name));
  }
}

test("gives out as many turns as there are, and the next when one is free", async () => {
  const turns = new Turns(2);
  const got: string[] = [];
  queueUp(turns, { name: "a" }, 3, got);
  await settle();
  expect([got.length, turns.taken]).toEqual([2, 2]);
  turns.free();
  await settle();
  expect([got.length, turns.taken]).toEqual([3, 2]);
});

test("a run of a million gets no more turns than one of a hundred while both wait", async () => {
  const turns = new Turns(1);
  const got: string[] = [];
  queueUp(turns, { name: "large" }, 50, got);
  queueUp(turns, { name: "small" }, 5, got);
  await settle();
  for (let turn = 0; turn < 12; turn += 1) {
    turns.free();
    await settle();
  }
  expect(got.slice(1, 11).filter((name) => name === "small")).toHaveLength(5);
  expect(got.slice(11)).toEqual(["large", "large"]);
});

test("whoever stops waiting leaves the turn to the next", async () => {
  const turns = new Turns(1);
  const got: string[] = [];
  await turns.take({}, NEVER);
  const leaving = new AbortController();
  const left = turns.take({ name: "left" }, leaving.signal);
  queueUp(turns, { name: "stays" }, 1, got);
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  turns.free();
  await settle();
  expect([got, turns.taken]).toEqual([["stays"], 1]);
});

test("never more turns are taken than there are, and none is lost", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.oneof(fc.nat({ max: 3 }), fc.constant(null)), { maxLength: 60 }),
      async (size, steps) => {
        const turns = new Turns(size);
        const lines = [{}, {}, {}, {}];
        let inHand = 0;
        let waiting = 0;
        for (const step of steps) {
          if (step === null) {
            if (inHand === 0) continue;
            inHand -= 1;
            turns.free();
          } else {
            waiting += 1;
            void turns.take(lines[step] ?? {}, NEVER).then(() => {
              waiting -= 1;
              inHand += 1;
            });
          }
          for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
          expect(turns.taken).toBe(inHand);
          expect(inHand).toBeLessThanOrEqual(size);
          expect(waiting === 0 || inHand === size).toBe(true);
        }
      },
    ),
  );
});
