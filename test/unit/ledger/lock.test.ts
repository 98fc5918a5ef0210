import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";

import { describe, expect, test } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import { findHolder, lockDirectory } from "../../../src/ledger/lock.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { runDirectory, type RunDirectory, until } from "./run-directory.ts";

const onLinux = process.platform === "linux";

/** A lock as somebody else left it, `age` milliseconds ago by the disk's clock. */
async function leaveLock(directory: RunDirectory, holder: object, age = 0): Promise<void> {
  const at = new Date(Date.now() - age);
  await writeFile(directory.file(FILES.lock), JSON.stringify(holder));
  await utimes(directory.file(FILES.lock), at, at);
}

/** A process that holds the directory until it is killed. */
async function holderProcess(directory: RunDirectory): Promise<ChildProcess & { pid: number }> {
  const lock = new URL("../../../src/ledger/lock.ts", import.meta.url).href;
  const clock = new URL("../../../src/system/clock.ts", import.meta.url).href;
  const script = `
    const { lockDirectory } = await import(${JSON.stringify(lock)});
    const { systemClock } = await import(${JSON.stringify(clock)});
    await lockDirectory(${JSON.stringify(directory.path)}, systemClock);
    console.log("locked");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  if (child.pid === undefined) throw new Error("no process was started");
  return Object.assign(child, { pid: child.pid });
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

describe("a directory in use", () => {
  test("is refused to a second opening in the same process, naming it", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const lock = await lockDirectory(directory.path, clock);
    await expect(lockDirectory(directory.path, clock)).rejects.toThrow(
      `${directory.path} is in use by process ${process.pid} on ${hostname()}`,
    );
    await lock.release();
  });

  test("is refused while another process holds it, and taken over when that one was killed", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const child = await holderProcess(directory);
    await expect(lockDirectory(directory.path, clock)).rejects.toThrow(`process ${child.pid} on`);
    expect(await findHolder(directory.path, clock)).toMatchObject({ pid: child.pid });

    await killed(child);
    expect(await findHolder(directory.path, clock)).toBeNull();
    await (await lockDirectory(directory.path, clock)).release();
  });

  test("goes to exactly one of many that ask at once, whether it is free or its holder is dead", async () => {
    const clock = new FakeClock();
    const dead = { host: hostname(), pid: process.pid, started: "another process's" };
    for (const before of [null, dead]) {
      await using directory = await runDirectory();
      if (before !== null) await leaveLock(directory, before);
      const asked = await Promise.allSettled(
        Array.from({ length: 12 }, () => lockDirectory(directory.path, clock)),
      );
      const refusals = asked.flatMap((one) =>
        one.status === "rejected" ? [(one.reason as Error).message] : [],
      );
      expect(refusals).toHaveLength(11);
      for (const refusal of refusals) expect(refusal).toContain("is in use by process");
      for (const one of asked) if (one.status === "fulfilled") await one.value.release();
      expect(await readdir(directory.path)).toEqual([]);
    }
  });
});

describe("a dead holder", () => {
  test("with a pid that another process has now does not hold it", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    await leaveLock(directory, { host: hostname(), pid: process.pid, started: "1" });
    await (await lockDirectory(directory.path, clock)).release();
  });

  test.skipIf(!onLinux)("that nobody has buried does not hold it", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    // `sleep` takes the shell's place and never asks how the child ended that is told to go then.
    const script = "exec 3<&0; (read line <&3) & echo $!; exec sleep 60";
    const parent = spawn("sh", ["-c", script], { stdio: "pipe" });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const fields = (pid: number | undefined): string[] =>
      readFileSync(`/proc/${pid}/stat`, "latin1").split(" ");
    const pid = Number(line.toString());
    await until(() => fields(parent.pid)[1] === "(sleep)");
    parent.stdin.write("\n");
    await until(() => fields(pid)[2] === "Z");
    await leaveLock(directory, { host: hostname(), pid, started: fields(pid)[21] });
    await (await lockDirectory(directory.path, clock)).release();
    await killed(parent);
  });

  test.each(["", "{", '{"pid":1}', "null"])("whose lock is %j does not hold it", async (text) => {
    await using directory = await runDirectory();
    await writeFile(directory.file(FILES.lock), text);
    await (await lockDirectory(directory.path, new FakeClock())).release();
  });
});

describe("a holder on another host", () => {
  const ELSEWHERE = { host: "another-host", pid: 1, started: "1" };
  const MINUTE_MS = 60_000;

  // The clocks of two hosts may differ by any amount: the disk's counts.
  for (const [what, hours] of [
    ["agrees", 0],
    ["is five hours ahead", 5],
    ["is five hours behind", -5],
  ] as const) {
    const clock = new FakeClock(Date.now() + hours * 60 * MINUTE_MS);

    test(`whose clock ${what} holds it as long as its heart has beaten within the last minute`, async () => {
      await using directory = await runDirectory();
      await leaveLock(directory, ELSEWHERE, MINUTE_MS - 10_000);
      await expect(lockDirectory(directory.path, clock)).rejects.toThrow(
        "is in use by process 1 on another-host",
      );
      expect(await findHolder(directory.path, clock)).toMatchObject(ELSEWHERE);
      expect(await readdir(directory.path)).toEqual([FILES.lock]);
    });

    test(`whose clock ${what} loses it after a minute without a beat`, async () => {
      await using directory = await runDirectory();
      await leaveLock(directory, ELSEWHERE, MINUTE_MS + 1_000);
      expect(await findHolder(directory.path, clock)).toBeNull();
      await (await lockDirectory(directory.path, clock)).release();
    });
  }

  test("sees this process's heart beat every ten seconds until it lets go", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const lock = await lockDirectory(directory.path, clock);
    const before = await readFile(directory.file(FILES.lock), "utf8");
    for (let beat = 0; beat < 3; beat += 1) {
      await until(async () => (await stat(directory.file(FILES.lock))).mtimeMs > 0);
      await utimes(directory.file(FILES.lock), 0, 0);
      await clock.advance(10_000);
    }
    await until(async () => (await stat(directory.file(FILES.lock))).mtimeMs > 0);
    expect(await readFile(directory.file(FILES.lock), "utf8")).toBe(before);
    await lock.release();
    expect(clock.pending).toBe(0);
  });

  test("that has taken this process's lock over keeps it when this one's heart beats on", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const lock = await lockDirectory(directory.path, clock);
    await rm(directory.file(FILES.lock));
    await leaveLock(directory, ELSEWHERE, MINUTE_MS + 1_000);
    await clock.advance(20_000);
    await lock.release();
    expect(await findHolder(directory.path, clock)).toBeNull();
    expect(await readFile(directory.file(FILES.lock), "utf8")).toBe(JSON.stringify(ELSEWHERE));
  });
});

describe("releasing", () => {
  test("lets the next one in", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    await (await lockDirectory(directory.path, clock)).release();
    expect(await findHolder(directory.path, clock)).toBeNull();
    await (await lockDirectory(directory.path, clock)).release();
  });

  test("leaves a lock that another host has taken over", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const lock = await lockDirectory(directory.path, clock);
    await leaveLock(directory, { host: "another-host", pid: 1, started: "1" });
    await lock.release();
    expect(await findHolder(directory.path, clock)).toMatchObject({ host: "another-host" });
  });

  test("twice leaves the lock that this process has taken again in between", async () => {
    await using directory = await runDirectory();
    const clock = new FakeClock();
    const first = await lockDirectory(directory.path, clock);
    await first.release();
    const second = await lockDirectory(directory.path, clock);
    await first.release();
    expect(await findHolder(directory.path, clock)).toMatchObject({ pid: process.pid });
    await second.release();
  });
});
