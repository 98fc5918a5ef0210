import { appendFile, writeFile } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import { formatLine } from "../../../src/ledger/line.ts";
import { type Manifest, writeManifest } from "../../../src/ledger/manifest.ts";
import { type Verification, verifyRun } from "../../../src/ledger/verify.ts";
import { aCompleted, aFailed, aManifest, RUN_ID, runDirectory } from "./run-directory.ts";

const completed = (index: number): string => `${formatLine(RUN_ID, aCompleted(index))}\n`;
const failed = (index: number): string => `${formatLine(RUN_ID, aFailed(index))}\n`;

/** What verify says of a run of four items with these files. */
async function verification(
  results: readonly string[],
  errors: readonly string[] = [],
  manifest: Partial<Manifest> = {},
): Promise<Verification> {
  await using directory = await runDirectory();
  await writeManifest(directory.path, aManifest(manifest));
  await writeFile(directory.file(FILES.results), results.join(""));
  await writeFile(directory.file(FILES.errors), errors.join(""));
  return await verifyRun(directory.path);
}

async function faultsOf(...files: Parameters<typeof verification>): Promise<readonly string[]> {
  return (await verification(...files)).faults;
}

const shared = (index: number, leader: number): string =>
  `${formatLine(RUN_ID, aCompleted(index, { reused: { kind: "shared", with: leader } }))}\n`;

test("a shared answer must be somebody's, who has it first", async () => {
  expect(await faultsOf([completed(2), shared(0, 2), shared(1, 2)])).toEqual([]);
  expect(await faultsOf([shared(0, 2), completed(2)])).toEqual([
    "results.jsonl:1 shares the answer of item 2, which has none",
  ]);
  expect(await faultsOf([shared(0, 1)], [failed(1)])).toEqual([
    "results.jsonl:1 shares the answer of item 1, which has none",
  ]);
});

describe("a sound run", () => {
  test("adds up: items = completed + failed + pending", async () => {
    expect(await verification([completed(2), completed(0)], [failed(3)])).toEqual({
      runId: RUN_ID,
      state: "running",
      items: 4,
      completed: 2,
      failed: 1,
      pending: 1,
      faults: [],
    });
  });

  test("may have written nothing yet", async () => {
    await using directory = await runDirectory();
    await writeManifest(directory.path, aManifest());
    expect(await verifyRun(directory.path)).toMatchObject({ pending: 4, faults: [] });
  });

  test("may hold the old error of an item that has completed since, which counts once", async () => {
    expect(await verification([completed(1)], [failed(1)])).toMatchObject({
      completed: 1,
      failed: 0,
      pending: 3,
      faults: [],
    });
  });

  test("may hold an item's earlier error beside its later one, which count as one", async () => {
    const found = await verification([], [failed(1), failed(1)]);
    expect(found).toMatchObject({ failed: 1, faults: [] });
  });
});

describe("a fault", () => {
  test("is a second result of an item", async () => {
    expect(await faultsOf([completed(1), completed(0), completed(1)])).toEqual([
      "results.jsonl:3 is a second result of item 1",
    ]);
  });

  test("is a torn last line", async () => {
    expect(await faultsOf([completed(1), completed(0).slice(0, 20)])).toEqual([
      "results.jsonl ends with 20 bytes of a torn line (continuing the run cuts it off)",
    ]);
  });

  test("is a line that is no JSON", async () => {
    expect(await faultsOf([], [failed(0), `${failed(1).slice(0, -9)}\n`])).toEqual([
      "errors.jsonl:2 is damaged: it is no JSON",
    ]);
  });

  test("is another run's line", async () => {
    const foreign = `${formatLine("another-run", aCompleted(1))}\n`;
    expect(await faultsOf([foreign])).toEqual([`results.jsonl:1 is no line of run ${RUN_ID}`]);
  });

  test("is an item that the run does not have", async () => {
    expect(await faultsOf([completed(3), completed(4)])).toEqual([
      "results.jsonl:2 is item 4, but the run has only 4 items",
    ]);
  });

  test("is a finished run with items left", async () => {
    expect(await faultsOf([completed(0)], [failed(1)], { state: "finished" })).toEqual([
      "the run says it is finished, but 2 items have no outcome",
    ]);
    const most = [completed(0), completed(1), completed(2)];
    expect(await faultsOf(most, [], { state: "finished" })).toEqual([
      "the run says it is finished, but 1 item has no outcome",
    ]);
  });

  test("is told of twenty times at most, and all lines are counted nevertheless", async () => {
    const found = await verification([
      ...Array<string>(30).fill("{}\n"),
      completed(0),
      completed(1),
    ]);
    expect(found.faults).toHaveLength(20);
    expect(found).toMatchObject({ completed: 2, pending: 2 });
  });
});

test("a directory without run.json is refused", async () => {
  await using directory = await runDirectory();
  await expect(verifyRun(directory.path)).rejects.toThrow("is no run directory");
});

test("a run.json that is damaged is refused", async () => {
  await using directory = await runDirectory();
  await writeManifest(directory.path, aManifest());
  await appendFile(directory.file(FILES.manifest), "}");
  await expect(verifyRun(directory.path)).rejects.toThrow("is no manifest of a run");
});
