import { describe, expect, test } from "vitest";

import { Faults } from "../../../../src/run/worker/faults.ts";

describe("an error that nobody foresaw", () => {
  test("gives the item back after a pause that grows", () => {
    const faults = new Faults();
    const pauses = Array.from({ length: 4 }, () => faults.note(7));
    expect(pauses).toEqual(
      [1_000, 2_000, 4_000, 8_000].map((pauseMs) => ({ kind: "back", pauseMs })),
    );
  });

  test("ends the item when it comes five times in a row, where another has gone well", () => {
    const faults = new Faults();
    faults.wentWell(6);
    for (let times = 0; times < 4; times += 1) faults.note(7);
    expect(faults.note(7)).toEqual({ kind: "end-item" });
  });

  test("is forgotten when the item goes well", () => {
    const faults = new Faults();
    for (let times = 0; times < 4; times += 1) faults.note(7);
    faults.wentWell(7);
    expect(faults.note(7)).toEqual({ kind: "back", pauseMs: 1_000 });
  });

  test("is the worker's own fault where nothing has ever gone well", () => {
    const faults = new Faults();
    const kinds = Array.from({ length: 5 }, () => faults.note(7).kind);
    expect(kinds).toEqual(["back", "back", "back", "back", "leave-run"]);
  });

  test("with one item after the other is the worker's own fault", () => {
    const faults = new Faults();
    const kinds = [0, 1, 2, 3, 4].map((index) => faults.note(index).kind);
    expect(kinds).toEqual(["back", "back", "back", "back", "leave-run"]);
  });

  test("is not the worker's fault as long as others go well between", () => {
    const faults = new Faults();
    const kinds = Array.from({ length: 12 }, (_, index) => {
      faults.wentWell(100 + index);
      return faults.note(index).kind;
    });
    expect(new Set(kinds)).toEqual(new Set(["back"]));
  });
});
