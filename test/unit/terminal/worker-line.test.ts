import { expect, it } from "vitest";

import { renderWorkerLine, type WorkerView } from "../../../src/terminal/worker-line.ts";

function line(changes: Partial<WorkerView> = {}): string {
  return renderWorkerLine({
    runs: ["r-1", "r-2"],
    in_flight: 12,
    in_hand: 64,
    completed: 1_500,
    failed: 0,
    items_per_second: 8,
    waiting: null,
    ...changes,
  });
}

it("tells calls from items that wait", () => {
  expect(line()).toBe("2 runs, 1,500 done, 8 items/s, 12 in flight, 52 waiting");
});

it("names nothing that waits where each item is being called", () => {
  expect(line({ in_hand: 12 })).toMatch(/12 in flight$/);
});

it("says why it stands still", () => {
  expect(line({ runs: [], in_flight: 0, in_hand: 0, waiting: "Redis does not answer" })).toBe(
    "no runs, 1,500 done, 8 items/s, 0 in flight; Redis does not answer",
  );
});
