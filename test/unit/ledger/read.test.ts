import { appendFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import { formatLine } from "../../../src/ledger/line.ts";
import { type LedgerView, readLedger } from "../../../src/ledger/read.ts";
import {
  aCompleted,
  aFailed,
  costOf,
  openLedger,
  RUN_ID,
  runDirectory,
  type RunDirectory,
} from "./run-directory.ts";

function look({ path }: RunDirectory): Promise<LedgerView> {
  return readLedger(path, RUN_ID, costOf);
}

test("errors are grouped by cause, the most frequent first, with an example", async () => {
  await using directory = await runDirectory();
  const ledger = await openLedger(directory);
  const timeout = { class: "retry", error: { code: "timeout", message: "silence" } } as const;
  await ledger.record(aFailed(0));
  await ledger.record(aFailed(1, timeout));
  await ledger.record(aFailed(2, timeout));
  await ledger.close();
  expect((await look(directory)).errors).toEqual([
    {
      code: "timeout",
      class: "retry",
      count: 2,
      example: { custom_id: "row-1", message: "silence" },
    },
    {
      code: "content_filter",
      class: "item",
      count: 1,
      example: { custom_id: "row-0", message: "blocked" },
    },
  ]);
});

test("an item counts by its last error, and not at all once it has completed", async () => {
  await using directory = await runDirectory();
  const ledger = await openLedger(directory);
  await ledger.record(aFailed(0));
  await ledger.record(aFailed(1));
  await ledger.record(aFailed(1, { error: { code: "timeout", message: "" } }));
  await ledger.record(aCompleted(0));
  const { items, errors } = await look(directory);
  expect(errors.map(({ code, count }) => [code, count])).toEqual([["timeout", 1]]);
  expect([items.completed, items.failed]).toEqual([1, 1]);
  await ledger.close();
});

test("lines that are not whole, or damaged, are passed over and left where they are", async () => {
  await using directory = await runDirectory();
  const ledger = await openLedger(directory);
  await ledger.record(aCompleted(0));
  await ledger.close();
  const damaged = formatLine(RUN_ID, aFailed(2)).slice(0, -5);
  await appendFile(directory.file(FILES.results), formatLine(RUN_ID, aCompleted(1)));
  await appendFile(directory.file(FILES.errors), `${damaged}\n${damaged}`);
  const before = await directory.text(FILES.results);
  const { items, errors } = await look(directory);
  expect([items.completed, items.failed, errors]).toEqual([1, 0, []]);
  expect(await directory.text(FILES.results)).toBe(before);
});

test("a directory without a ledger has no outcomes", async () => {
  await using directory = await runDirectory();
  const { items, errors } = await look(directory);
  expect([items.completed, items.failed, errors]).toEqual([0, 0, []]);
});
