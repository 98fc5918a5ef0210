import { readdir, writeFile } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import { RunStopped } from "../../../src/errors.ts";
import { ensureDirectory, replaceFile, replaceJson } from "../../../src/ledger/files.ts";
import { runDirectory } from "./run-directory.ts";

describe("replacing a file", () => {
  test("shows the old one until the new one is whole, and leaves nothing beside it", async () => {
    await using directory = await runDirectory();
    const path = directory.file("output.csv");
    await writeFile(path, "old");
    await replaceFile(path, async (temporary) => {
      await writeFile(temporary, "new");
      expect(await directory.text("output.csv")).toBe("old");
    });
    expect(await directory.text("output.csv")).toBe("new");
    expect(await readdir(directory.path)).toEqual(["output.csv"]);
  });

  test("that fails leaves the old one, and nothing beside it", async () => {
    await using directory = await runDirectory();
    const path = directory.file("output.csv");
    await writeFile(path, "old");
    const failing = replaceFile(path, async (temporary) => {
      await writeFile(temporary, "half of the ne");
      throw new Error("the reader failed");
    });
    await expect(failing).rejects.toThrow("the reader failed");
    expect(await readdir(directory.path)).toEqual(["output.csv"]);
    expect(await directory.text("output.csv")).toBe("old");
  });

  test.each(["ENOSPC", "EDQUOT", "EFBIG"])(
    "that finds no room (%s) stops the run, which can go on later",
    async (code) => {
      await using directory = await runDirectory();
      const path = directory.file("output.csv");
      const failure = Object.assign(new Error("write failed"), { code });
      const stop: unknown = await replaceFile(path, () => Promise.reject(failure)).catch(
        (error: unknown) => error,
      );
      expect(stop).toBeInstanceOf(RunStopped);
      expect(stop).toMatchObject({
        reason: "disk",
        message: `no room left for ${path} (${code})`,
        cause: failure,
      });
    },
  );

  test("takes the place of what a killed process left in the temporary file", async () => {
    await using directory = await runDirectory();
    await writeFile(directory.file("run.json.tmp"), '{"a very long leftover":'.repeat(9));
    await replaceJson(directory.file("run.json"), { a: 1 });
    expect(await directory.text("run.json")).toBe('{\n  "a": 1\n}\n');
    expect(await readdir(directory.path)).toEqual(["run.json"]);
  });
});

test("a directory that a file stands in the way of is refused", async () => {
  await using directory = await runDirectory();
  await writeFile(directory.file("runs"), "");
  for (const path of ["runs", "runs/reviews/1"]) {
    await expect(ensureDirectory(directory.file(path))).rejects.toThrow("EEXIST");
  }
});

test.runIf(process.platform === "linux")(
  "a directory that the system will not have is refused at once",
  async () => {
    await expect(ensureDirectory("/proc/nightshift/runs/1")).rejects.toThrow("ENOENT");
  },
);

test("a directory is made with its parents, and may be there already", async () => {
  await using directory = await runDirectory();
  await ensureDirectory(directory.file("runs/reviews/1"));
  await ensureDirectory(directory.file("runs/reviews/1"));
  expect(await readdir(directory.file("runs/reviews"))).toEqual(["1"]);
});
