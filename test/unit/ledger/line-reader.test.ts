import { writeFile } from "node:fs/promises";

import * as fc from "fast-check";
import { expect, test, vi } from "vitest";

import { LineReader } from "../../../src/ledger/line-reader.ts";
import { runDirectory } from "./run-directory.ts";

// Properties that touch the disk take their time on a machine under load.
vi.setConfig({ testTimeout: 20_000 });

/** As long as one of the blocks that it reads. */
const BLOCK = 256 * 1024;

test("any line is found by its offset, in any order, across the blocks' borders", async () => {
  const length = fc.oneof(fc.nat(40), fc.integer({ min: BLOCK - 3, max: BLOCK + 3 }));
  const lengths = fc.array(length, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(lengths, fc.infiniteStream(fc.nat()), async (lineLengths, picks) => {
      await using directory = await runDirectory();
      const lines = lineLengths.map((size, at) => String(at % 10).repeat(size));
      await writeFile(directory.file("a"), lines.map((line) => `${line}\n`).join(""));
      const reader = new LineReader(directory.file("a"));
      for (const pick of picks.take(10)) {
        const at = pick % lines.length;
        const offset = lineLengths.slice(0, at).reduce((sum, size) => sum + size + 1, 0);
        expect((await reader.read(offset)).toString() === lines[at]).toBe(true);
      }
      await reader.close();
    }),
    { numRuns: 20 },
  );
});

test("a file that is never read need not be there", async () => {
  await new LineReader("/nowhere/errors.jsonl").close();
});
