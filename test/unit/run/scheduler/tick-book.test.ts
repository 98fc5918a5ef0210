import { appendFile, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { expect, it } from "vitest";

import { TickBook } from "../../../../src/run/scheduler/tick-book.ts";
import type { TickEntry } from "../../../../src/schedule/record.ts";
import { systemClock } from "../../../../src/system/clock.ts";
import { aWorkspace } from "../jobs.ts";

const FILE = ".schedule/nightly/ticks.jsonl";

function claimed(number: number): TickEntry {
  const tick = new Date(number * 1_000).toISOString();
  return { kind: "claimed", at: tick, tick, by: "s" };
}

it("keeps what is noted, in order, and shows it to others at once", async () => {
  await using workspace = await aWorkspace();
  const [one, other] = [1, 2].map(() => new TickBook(workspace.path, "nightly", systemClock));
  expect(await other?.read()).toEqual([]);
  await one?.note(claimed(1), claimed(2));
  expect(await other?.read()).toEqual([claimed(1), claimed(2)]);
});

it("lets one at a time decide, however many come at once", async () => {
  await using workspace = await aWorkspace();
  const books = [1, 2, 3, 4].map(() => new TickBook(workspace.path, "nightly", systemClock));
  const wins: number[] = [];
  await Promise.all(
    books.map((book, number) =>
      book.update((entries) => {
        if (entries.length > 0) return Promise.resolve([]);
        wins.push(number);
        return Promise.resolve([claimed(number)]);
      }),
    ),
  );
  expect(wins).toHaveLength(1);
});

it("a line that a crash has torn costs nothing but itself", async () => {
  await using workspace = await aWorkspace();
  await new TickBook(workspace.path, "nightly", systemClock).note(claimed(1));
  await appendFile(join(workspace.path, FILE), '{"kind":"claimed","at":"20');
  const book = new TickBook(workspace.path, "nightly", systemClock);
  await book.note(claimed(2));
  expect(await book.read()).toEqual([claimed(1), claimed(2)]);
});

it("stays small, and keeps its last thousand lines", async () => {
  await using workspace = await aWorkspace();
  const book = new TickBook(workspace.path, "nightly", systemClock);
  const ended = (number: number): TickEntry[] => {
    const tick = new Date(number * 1_000).toISOString();
    return [claimed(number), { kind: "ended", at: tick, tick, result: "finished" }];
  };
  for (let batch = 0; batch < 30; batch += 1) {
    await book.note(...Array.from({ length: 100 }, (_, at) => ended(batch * 100 + at)).flat());
  }
  const text = await readFile(join(workspace.path, FILE), "utf8");
  expect((await stat(join(workspace.path, FILE))).size).toBeLessThan(700 * 1_024);
  expect(text.split("\n").length).toBeLessThan(6_000);
  expect((await book.read()).at(-1)).toEqual(ended(2_999)[1]);
});
