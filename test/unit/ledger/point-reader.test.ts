import { writeFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { PointReader } from "../../../src/ledger/point-reader.ts";
import { runDirectory } from "./run-directory.ts";

test("lines are read from anywhere, however long", async () => {
  await using directory = await runDirectory();
  const lines = ["", "short", "x".repeat(8_191), "汉".repeat(40_000), "y".repeat(8_192), "last"];
  await writeFile(directory.file("lines"), `${lines.join("\n")}\ntorn`);
  const reader = new PointReader(directory.file("lines"));
  const offsets: number[] = [];
  let offset = 0;
  for (const line of lines) {
    offsets.push(offset);
    offset += Buffer.byteLength(line) + 1;
  }
  for (const at of [3, 0, 5, 2, 4, 1, 3]) {
    expect(reader.read(offsets[at] ?? 0)?.toString()).toBe(lines[at]);
  }
  expect(reader.read(offset)).toBeNull();
  expect(reader.read(offset + 1_000)).toBeNull();
  reader.close();
});
