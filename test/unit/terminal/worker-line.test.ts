import { expect, it } from "vitest";

import {
  createWorkerLines,
  renderWorkerLine,
  type WorkerView,
} from "../../../src/terminal/worker-line.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

function aView(changes: Partial<WorkerView> = {}): WorkerView {
  return {
    runs: ["r-1", "r-2"],
    in_flight: 12,
    in_hand: 64,
    completed: 1_500,
    failed: 0,
    items_per_second: 8,
    waiting: null,
    ...changes,
  };
}

function line(changes: Partial<WorkerView> = {}): string {
  return renderWorkerLine(aView(changes));
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

it("says every ten seconds where it stands, and at length nothing when that does not change", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const show = createWorkerLines(clock, (text) => lines.push(text));
  const minute = async (changes: Partial<WorkerView>): Promise<void> => {
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000);
      show(aView({ ...changes, completed: changes.completed ?? second }));
    }
  };
  await minute({});
  expect(lines).toHaveLength(6);
  await minute({ completed: 60 });
  expect(lines).toHaveLength(7);
  await clock.advance(1_000);
  show(aView({ completed: 61 }));
  expect(lines.at(-1)).toMatch(/^2 runs, 61 done/);
});
