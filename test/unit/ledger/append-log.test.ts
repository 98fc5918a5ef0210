import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import { open, readFile, truncate, unlink, writeFile } from "node:fs/promises";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { AppendLog } from "../../../src/ledger/append-log.ts";
import { settle } from "../../fakes/fake-clock.ts";
import { runDirectory, type RunDirectory, until } from "./run-directory.ts";

// Properties that touch the disk take their time on a machine under load.
vi.setConfig({ testTimeout: 20_000 });

const FILE = "results.jsonl";

/** What all file handles have in common: where a test can make the disk fail. */
async function fileHandles(): Promise<Awaited<ReturnType<typeof open>>> {
  const file = await open(import.meta.filename, "r");
  await file.close();
  return Object.getPrototypeOf(file) as typeof file;
}

function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: the disk says no`), { code });
}

async function outcomes(appended: readonly Promise<number>[]): Promise<(number | string)[]> {
  const settled = await Promise.allSettled(appended);
  return settled.map((one) =>
    one.status === "fulfilled"
      ? one.value
      : `${(one.reason as { reason?: string }).reason ?? "?"}: ${(one.reason as Error).message}`,
  );
}

describe("appending", () => {
  test("gives each line's byte offset, in order, after what was there", async () => {
    await using directory = await runDirectory();
    await writeFile(directory.file(FILE), "old\n");
    const log = await AppendLog.open(directory.file(FILE), 4);
    const offsets = await Promise.all(["äöü", "", "汉字"].map((line) => log.append(line)));
    await log.close();
    expect(offsets).toEqual([4, 11, 12]);
    expect(await directory.text(FILE)).toBe("old\näöü\n\n汉字\n");
  });

  test("any lines in any groups lie at the offsets it gave", async () => {
    const groups = fc.array(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 5 }), {
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(groups, async (groupsOfLines) => {
        await using directory = await runDirectory();
        const log = await AppendLog.open(directory.file(FILE), 0);
        const placed: [string, number][] = [];
        for (const lines of groupsOfLines) {
          const offsets = await Promise.all(lines.map((line) => log.append(line)));
          placed.push(...lines.map((line, at): [string, number] => [line, offsets[at] ?? -1]));
        }
        await log.close();
        const bytes = await readFile(directory.file(FILE));
        for (const [line, offset] of placed) {
          const expected = Buffer.from(`${line}\n`);
          expect(bytes.subarray(offset, offset + expected.length)).toEqual(expected);
        }
        expect(bytes.length).toBe(Buffer.byteLength(placed.map(([line]) => `${line}\n`).join("")));
      }),
      { numRuns: 25 },
    );
  });

  test("lines are placed without waiting, and one wait is for them all", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const long = "汉字".repeat(50_000);
    expect(["äöü", long, "last"].map((line) => log.place(line))).toEqual([0, 7, 300_008]);
    await log.synced();
    expect(await directory.text(FILE)).toBe(`äöü\n${long}\nlast\n`);
    // Nothing is on its way.
    await log.synced();
    await log.close();
  });

  test("who waits for a line that is being synced already waits for that sync", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const sync = Promise.withResolvers<undefined>();
    const datasync = vi.spyOn(await fileHandles(), "datasync").mockReturnValue(sync.promise);
    log.place("a line");
    await until(() => datasync.mock.calls.length === 1);
    const synced = log.synced();
    sync.resolve(undefined);
    await synced;
    expect(datasync).toHaveBeenCalledTimes(1);
    await log.close();
  });

  test("no line counts as recorded before the disk has it", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const synced = Promise.withResolvers<undefined>();
    vi.spyOn(await fileHandles(), "datasync").mockReturnValue(synced.promise);
    let recorded = 0;
    const appended = ["a", "b"].map((line) => log.append(line).then(() => (recorded += 1)));
    await until(async () => (await directory.text(FILE)) === "a\nb\n");
    await settle();
    expect(recorded).toBe(0);

    synced.resolve(undefined);
    await Promise.all(appended);
    expect(recorded).toBe(2);
    await log.close();
  });

  test("lines that come while a sync is under way share the next one", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const first = Promise.withResolvers<undefined>();
    const datasync = vi
      .spyOn(await fileHandles(), "datasync")
      .mockReturnValueOnce(first.promise)
      .mockResolvedValue(undefined);
    const appended = [log.append("first")];
    await until(() => datasync.mock.calls.length === 1);
    for (let line = 0; line < 50; line += 1) appended.push(log.append(`later ${line}`));
    first.resolve(undefined);
    await Promise.all(appended);
    await log.close();
    expect(datasync).toHaveBeenCalledTimes(2);
  });

  test.each([
    ["short", "äöü"],
    ["long", "汉字".repeat(40_000)],
  ])("a %s line is read back by its offset while others follow it", async (_name, line) => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const [, offset = -1] = await Promise.all(
      ["first", line, "last"].map((one) => log.append(one)),
    );
    expect((await log.read(offset)).toString()).toBe(line);
    await log.close();
  });

  test("where a file was cut from outside, no line is read", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const offset = await log.append("a line");
    await truncate(directory.file(FILE), 3);
    await expect(log.read(offset)).rejects.toThrow(`${FILE} has no whole line at byte 0`);
    await log.close();
  });

  test("closing waits for what was appended", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const appended = log.append("last");
    await log.close();
    expect(await appended).toBe(0);
    expect(await directory.text(FILE)).toBe("last\n");
  });
});

describe("a disk that fails", () => {
  test("a full disk keeps the lines that are whole, cuts off the torn one and stops the run", async () => {
    await using directory = await runDirectory();
    // Room for one line and a half.
    const log = await AppendLog.open(directory.file(FILE), 0, (fd, bytes, from) => {
      if (from > 0) throw diskError("ENOSPC");
      return writeSync(fd, bytes, 0, 6);
    });
    const ended = await outcomes(["one", "two", "three"].map((line) => log.append(line)));
    await log.close();
    const stop = `disk: no room left for ${directory.file(FILE)} (ENOSPC)`;
    expect(ended).toEqual([0, stop, stop]);
    expect(await directory.text(FILE)).toBe("one\n");
  });

  test("a failed sync is fatal: no line of the group counts and none is taken after it", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const datasync = vi.spyOn(await fileHandles(), "datasync").mockRejectedValue(diskError("EIO"));
    const ended = await outcomes([log.append("one"), log.append("two")]);
    log.place("three");
    const later = await outcomes([log.append("four")]);
    await log.close();
    const stop = `disk: ${directory.file(FILE)} cannot be written: EIO: the disk says no`;
    expect([...ended, ...later]).toEqual([stop, stop, stop]);
    expect(datasync).toHaveBeenCalledTimes(1);
  });

  test("lines that came while the sync was failing are refused and never written", async () => {
    await using directory = await runDirectory();
    const log = await AppendLog.open(directory.file(FILE), 0);
    const sync = Promise.withResolvers<undefined>();
    const datasync = vi.spyOn(await fileHandles(), "datasync").mockReturnValue(sync.promise);
    const first = outcomes([log.append("first")]);
    await until(() => datasync.mock.calls.length === 1);
    const later = outcomes([log.append("later")]);
    sync.reject(diskError("EIO"));
    expect((await later)[0]).toBe((await first)[0]);
    await log.close();
    expect(await directory.text(FILE)).toBe("first\n");
  });
});

const smallDisk = await mountSmallDisk();

describe.skipIf(smallDisk === null)(
  `a real disk of 64 kB${smallDisk === null ? " (skipped: this user may not mount a tmpfs)" : ""}`,
  () => {
    let directory: RunDirectory;
    beforeAll(() => {
      if (smallDisk !== null) directory = smallDisk;
    });
    afterAll(async () => {
      execFileSync("umount", [directory.path]);
      await directory[Symbol.asyncDispose]();
    });

    test("holds exactly the lines that were recorded, and takes more once there is room", async () => {
      const path = directory.file(FILE);
      const ballast = directory.file("ballast");
      await writeFile(ballast, Buffer.alloc(16 * 1024));
      const log = await AppendLog.open(path, 0);
      const lines = Array.from({ length: 200 }, (_, at) => `${at}:`.padEnd(700, "x"));
      const ended = await Promise.allSettled(lines.map((line) => log.append(line)));
      await log.close();

      const recorded = lines.filter((_, at) => ended[at]?.status === "fulfilled");
      const stops = ended.flatMap((one) =>
        one.status === "rejected" ? [(one.reason as { reason: string }).reason] : [],
      );
      const expected = recorded.map((line) => `${line}\n`).join("");
      expect(recorded.length).toBeGreaterThan(10);
      expect(new Set(stops)).toEqual(new Set(["disk"]));
      expect(await directory.text(FILE)).toBe(expected);

      await unlink(ballast);
      const again = await AppendLog.open(path, Buffer.byteLength(expected));
      await again.append("more");
      await again.close();
      expect(await directory.text(FILE)).toBe(`${expected}more\n`);
    });
  },
);

async function mountSmallDisk(): Promise<RunDirectory | null> {
  const directory = await runDirectory();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory.path], {
      stdio: "ignore",
    });
    return directory;
  } catch {
    await directory[Symbol.asyncDispose]();
    return null;
  }
}

describe("opening", () => {
  test("cuts off what lies behind the whole lines", async () => {
    await using directory = await runDirectory();
    await writeFile(directory.file(FILE), 'whole\n{"id":"tor');
    const log = await AppendLog.open(directory.file(FILE), 6);
    await log.append("next");
    await log.close();
    expect(await directory.text(FILE)).toBe("whole\nnext\n");
  });

  test("makes a file that is not there", async () => {
    await using directory = await runDirectory();
    await (await AppendLog.open(directory.file(FILE), 0)).close();
    expect(await readFile(directory.file(FILE), "utf8")).toBe("");
  });
});
