import { appendFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";

import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import { formatLine } from "../../../src/ledger/line.ts";
import type { Outcome } from "../../../src/outcome.ts";
import {
  aCompleted,
  aFailed,
  anOutcome,
  indexesIn,
  openLedger,
  RUN_ID,
  runDirectory,
  type RunDirectory,
} from "./run-directory.ts";

// Properties that touch the disk take their time on a machine under load.
vi.setConfig({ testTimeout: 20_000 });

async function written(directory: RunDirectory, outcomes: readonly Outcome[]): Promise<void> {
  const ledger = await openLedger(directory);
  for (const outcome of outcomes) await ledger.record(outcome);
  await ledger.close();
}

/** Opens it as the next sitting would, and closes it again. */
async function reopened(directory: RunDirectory): Promise<{ completed: number; failed: number }> {
  const ledger = await openLedger(directory);
  await ledger.close();
  return { completed: ledger.items.completed, failed: ledger.items.failed };
}

/** How each of the first items stands, as a map that was told the same outcomes says. */
function statesAfter(outcomes: readonly Outcome[]): Map<number, string> {
  const states = new Map<number, string>();
  for (const { index, kind } of outcomes) {
    if (states.get(index) !== "completed") states.set(index, kind);
  }
  return states;
}

describe("recording", () => {
  test("puts completed items into results.jsonl and failed ones into errors.jsonl", async () => {
    await using directory = await runDirectory();
    await written(directory, [aCompleted(2), aFailed(0), aCompleted(1)]);
    expect(await indexesIn(directory, FILES.results)).toEqual([2, 1]);
    expect(await indexesIn(directory, FILES.errors)).toEqual([0]);
  });

  test("an item that completes twice has one result", async () => {
    await using directory = await runDirectory();
    const ledger = await openLedger(directory);
    await Promise.all([ledger.record(aCompleted(5)), ledger.record(aCompleted(5))]);
    await ledger.record(aCompleted(5));
    await ledger.close();
    expect(await indexesIn(directory, FILES.results)).toEqual([5]);
  });

  test("an item that has completed cannot fail any more", async () => {
    await using directory = await runDirectory();
    await written(directory, [aCompleted(5), aFailed(5)]);
    expect(await indexesIn(directory, FILES.errors)).toEqual([]);
  });

  test("outcomes that are written together count when they are on disk, not before", async () => {
    await using directory = await runDirectory();
    const ledger = await openLedger(directory);
    const group = [aCompleted(2), aFailed(0), aCompleted(1)].map((one) => ledger.write(one));
    expect([ledger.items.completed, ledger.items.failed]).toEqual([0, 0]);
    await ledger.count(group);
    expect([ledger.items.completed, ledger.items.failed]).toEqual([2, 1]);
    await ledger.close();
    expect(await indexesIn(directory, FILES.results)).toEqual([2, 1]);
    const again = await openLedger(directory);
    for (const index of [0, 1, 2])
      expect(again.items.offset(index)).toBe(ledger.items.offset(index));
    await again.close();
  });

  test("an item whose outcome could not be written may be recorded again", async () => {
    await using directory = await runDirectory();
    const ledger = await openLedger(directory);
    await ledger.close();
    await expect(ledger.record(aCompleted(1))).rejects.toMatchObject({ reason: "disk" });
    expect(ledger.items.state(1)).toBe("pending");
    await expect(ledger.record(aCompleted(1))).rejects.toMatchObject({ reason: "disk" });
  });
});

describe("opening after a kill", () => {
  test("a result cut at any byte costs that line and nothing else, and the next one fits on", async () => {
    await using whole = await runDirectory();
    const outcomes = [aCompleted(0), aCompleted(1, { customId: "äöü\u2028汉字", body: "{}" })];
    await written(whole, outcomes);
    const bytes = await readFile(whole.file(FILES.results));
    const first = Buffer.byteLength(`${formatLine(RUN_ID, aCompleted(0))}\n`);
    for (let cut = first; cut < bytes.length; cut += 1) {
      await using directory = await runDirectory();
      await writeFile(directory.file(FILES.results), bytes.subarray(0, cut));
      const ledger = await openLedger(directory);
      expect([ledger.items.state(0), ledger.items.state(1)]).toEqual(["completed", "pending"]);
      for (const outcome of outcomes) await ledger.record(outcome);
      await ledger.close();
      expect(await readFile(directory.file(FILES.results))).toEqual(bytes);
    }
  });

  test("both files cut anywhere keep every whole line, and the run ends with one line per item", async () => {
    const outcomes = fc.array(anOutcome(), { minLength: 1, maxLength: 20 });
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(outcomes, cut, cut, async (ended, cutResults, cutErrors) => {
        await using directory = await runDirectory();
        await written(directory, ended);
        for (const [name, share] of [
          [FILES.results, cutResults],
          [FILES.errors, cutErrors],
        ] as const) {
          const { length } = await readFile(directory.file(name));
          await truncate(directory.file(name), Math.floor(share * length));
        }
        const wholeResults = new Set(await indexesIn(directory, FILES.results));
        const wholeErrors = new Set(await indexesIn(directory, FILES.errors));

        const ledger = await openLedger(directory);
        for (let index = 0; index < 12; index += 1) {
          expect(ledger.items.state(index)).toBe(
            wholeResults.has(index) ? "completed" : wholeErrors.has(index) ? "failed" : "pending",
          );
        }
        for (let index = 0; index < 12; index += 1) {
          if (ledger.items.state(index) === "pending") await ledger.record(aCompleted(index));
        }
        await ledger.close();
        expect(await reopened(directory)).toEqual({
          completed: ledger.items.completed,
          failed: ledger.items.failed,
        });
        const indexes = [
          ...(await indexesIn(directory, FILES.results)),
          ...(await indexesIn(directory, FILES.errors)),
        ];
        expect(indexes.toSorted((a, b) => Number(a) - Number(b))).toEqual([...Array(12).keys()]);
      }),
      { numRuns: 20 },
    );
  });

  test("a broken last line that ends in a line break is cut off as well", async () => {
    await using directory = await runDirectory();
    await written(directory, [aCompleted(0)]);
    const before = await directory.text(FILES.results);
    await appendFile(directory.file(FILES.results), "\0\0\0\n\0");
    expect(await reopened(directory)).toEqual({ completed: 1, failed: 0 });
    expect(await directory.text(FILES.results)).toBe(before);
  });
});

describe("a ledger that is not this run's", () => {
  const FOREIGN = formatLine("another-run", aCompleted(7));

  test.each([
    ["at its end", (own: string) => `${own}\n${FOREIGN}\n`, 2],
    ["before its own", (own: string) => `${FOREIGN}\n${own}\n`, 1],
    ["alone", () => `${FOREIGN}\n`, 1],
  ])(
    "is refused with its line and left as it is when a foreign line is %s",
    async (_where, content, line) => {
      await using directory = await runDirectory();
      const text = content(formatLine(RUN_ID, aCompleted(0)));
      await writeFile(directory.file(FILES.results), text);
      await expect(openLedger(directory)).rejects.toThrow(
        `${directory.file(FILES.results)}:${line}: this line is damaged or belongs to another run`,
      );
      expect(await directory.text(FILES.results)).toBe(text);
    },
  );

  test("is refused when a line in its middle is damaged", async () => {
    await using directory = await runDirectory();
    const [a, b, c] = [0, 1, 2].map((index) => formatLine(RUN_ID, aFailed(index)));
    const text = `${a}\n${b?.slice(0, -9)}\n${c}\n`;
    await writeFile(directory.file(FILES.errors), text);
    await expect(openLedger(directory)).rejects.toThrow(`${directory.file(FILES.errors)}:2: `);
    expect(await directory.text(FILES.errors)).toBe(text);
  });
});

describe("compaction", () => {
  test("leaves the last error of each failed item, and none of a completed one", async () => {
    await using directory = await runDirectory();
    const ledger = await openLedger(directory);
    await ledger.record(aFailed(0));
    await ledger.record(aFailed(1));
    await ledger.record(aFailed(1, { error: { code: "http_500", message: "again" } }));
    await ledger.record(aCompleted(0));
    expect(await indexesIn(directory, FILES.errors)).toEqual([0, 1, 1]);
    await ledger.settle();
    expect(await indexesIn(directory, FILES.errors)).toEqual([1]);
    expect(await directory.text(FILES.errors)).toContain('"message":"again"');
    await ledger.close();
  });

  test("any sequence of outcomes leaves one line per item, at the end as after a kill", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anOutcome(), { maxLength: 30 }),
        fc.boolean(),
        async (outcomes, settles) => {
          await using directory = await runDirectory();
          const ledger = await openLedger(directory);
          for (const outcome of outcomes) await ledger.record(outcome);
          if (settles) await ledger.settle();
          await ledger.close();
          if (!settles) await reopened(directory);

          const states = statesAfter(outcomes);
          const ended = (kind: string): number[] =>
            [...states].flatMap(([index, state]) => (state === kind ? [index] : []));
          const sorted = async (name: string): Promise<(number | null)[]> =>
            (await indexesIn(directory, name)).toSorted((a, b) => Number(a) - Number(b));
          expect(await sorted(FILES.results)).toEqual(ended("completed").toSorted((a, b) => a - b));
          expect(await sorted(FILES.errors)).toEqual(ended("failed").toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 20 },
    );
  });

  test("errors that stay are still found where the table says", async () => {
    await using directory = await runDirectory();
    const ledger = await openLedger(directory);
    for (const index of [0, 1, 2]) await ledger.record(aFailed(index));
    await ledger.record(aCompleted(1));
    await ledger.settle();
    await ledger.record(aFailed(3));
    await ledger.close();
    const bytes = await readFile(directory.file(FILES.errors));
    for (const index of [0, 2, 3]) {
      const line = formatLine(RUN_ID, aFailed(index));
      const offset = ledger.items.offset(index);
      expect(bytes.toString("utf8", offset, offset + line.length)).toBe(line);
    }
  });

  test("killed before the rename, it is done anew and the leftover is ignored", async () => {
    await using directory = await runDirectory();
    await written(directory, [aFailed(0), aFailed(1), aCompleted(0)]);
    await writeFile(directory.file(`${FILES.errors}.tmp`), '{"id":"half a li');
    expect(await reopened(directory)).toEqual({ completed: 1, failed: 1 });
    expect(await indexesIn(directory, FILES.errors)).toEqual([1]);
  });

  test("does not rewrite a file that has nothing to drop", async () => {
    await using directory = await runDirectory();
    // A directory in the temporary file's place makes any rewriting fail.
    const ledger = await openLedger(directory);
    for (const index of [0, 1]) await ledger.record(aFailed(index));
    await mkdir(directory.file(`${FILES.errors}.tmp`));
    await ledger.settle();
    await ledger.close();
    expect(await reopened(directory)).toEqual({ completed: 0, failed: 2 });
  });

  test("cuts off a torn error while it drops superseded ones", async () => {
    await using directory = await runDirectory();
    await written(directory, [aFailed(0), aFailed(1), aCompleted(0)]);
    await appendFile(directory.file(FILES.errors), '{"id":"batch_req_');
    expect(await reopened(directory)).toEqual({ completed: 1, failed: 1 });
    expect(await directory.text(FILES.errors)).toBe(`${formatLine(RUN_ID, aFailed(1))}\n`);
  });
});
