import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync, renameSync } from "node:fs";
import { link, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { UsageError } from "../errors.ts";
import type { Clock } from "../system/clock.ts";
import { diskStop, FILES } from "./files.ts";

/** Who holds a run directory. The start time tells a process from a later one with the same pid. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  readonly started: string;
}

/** A held run directory. */
export interface DirectoryLock {
  release(): Promise<void>;
}

const HEARTBEAT_MS = 10_000;
/** A holder on another host cannot be asked; one that has not beaten for this long is dead. */
const FOREIGN_DEAD_MS = 60_000;

/**
 * Makes this process the owner of a run directory. A lock whose holder is dead is taken over.
 *
 * @throws UsageError naming the holder when it is alive.
 */
export async function lockDirectory(directory: string, clock: Clock): Promise<DirectoryLock> {
  const path = join(directory, FILES.lock);
  // Processes in containers often share a pid, and one process may open a directory twice.
  const id = randomUUID();
  const own = JSON.stringify({ ...thisProcess(), id });
  const draft = `${path}.${id}`;
  try {
    await writeFile(draft, own).catch((error: unknown) => {
      throw diskStop(draft, error);
    });
    for (;;) {
      // A link either makes the whole lock or fails: nobody ever reads half of one.
      if (await linked(draft, path)) break;
      const found = await readLock(path);
      if (found === null) continue;
      const holder = parseHolder(found);
      if (holder !== null && (await isAlive(holder, path, clock))) {
        throw new UsageError(
          `${directory} is in use by process ${holder.pid} on ${holder.host}. ` +
            "Wait for it, stop it (Ctrl-C or SIGTERM lets it finish what is in flight), " +
            "or choose another --out.",
        );
      }
      await discard(path, found, `${path}.dead.${id}`);
    }
  } finally {
    await rm(draft, { force: true });
  }

  // By its handle: a lock that another host has put in the place of ours is none of our business.
  const file = await open(path, "r+");
  const stamp = async (): Promise<void> => {
    // The same bytes, so that the disk notes the time by its own clock: no two hosts' need agree.
    await file.write(own, 0);
    await file.datasync();
  };
  let stopBeating = (): void => {};
  const beat = (): void => {
    stamp().catch(() => {});
    stopBeating = clock.after(HEARTBEAT_MS, beat);
  };
  beat();
  return {
    release: async () => {
      stopBeating();
      await file.close().catch(() => {});
      if ((await readLock(path)) === own) await rm(path, { force: true });
    },
  };
}

/** The living owner of a run directory, if there is one. */
export async function findHolder(directory: string, clock: Clock): Promise<LockHolder | null> {
  const path = join(directory, FILES.lock);
  const found = await readLock(path);
  const holder = found === null ? null : parseHolder(found);
  return holder !== null && (await isAlive(holder, path, clock)) ? holder : null;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    // Some file systems know no links; creating the file exclusively is the next best thing.
    if (hasCode(error, "EPERM") || hasCode(error, "ENOTSUP")) return created(from, to);
    throw error;
  }
}

async function created(from: string, to: string): Promise<boolean> {
  try {
    const file = await open(to, "wx");
    try {
      await file.writeFile(await readFile(from));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function readLock(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

/**
 * Takes a dead lock out of the way, putting it back if another process was quicker. Nothing is
 * awaited between looking and taking: a lock that somebody has taken meanwhile must stay.
 */
async function discard(path: string, dead: string, aside: string): Promise<void> {
  try {
    if (readFileSync(path, "utf8") !== dead) return;
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  if ((await readLock(aside)) !== dead) await linked(aside, path);
  await rm(aside, { force: true });
}

function parseHolder(text: string): LockHolder | null {
  try {
    const { host, pid, started } = JSON.parse(text) as Partial<LockHolder>;
    return typeof host === "string" && typeof pid === "number" && typeof started === "string"
      ? { host, pid, started }
      : null;
  } catch {
    return null;
  }
}

async function isAlive(holder: LockHolder, path: string, clock: Clock): Promise<boolean> {
  if (holder.host === hostname()) return startOf(holder.pid) === holder.started;
  try {
    const { mtimeMs } = await stat(path);
    return (await diskTime(path, clock)) - mtimeMs < FOREIGN_DEAD_MS;
  } catch {
    return false;
  }
}

/** What time it is by the clock of a file's disk, which may be another machine's. */
async function diskTime(path: string, clock: Clock): Promise<number> {
  const probe = `${path}.${randomUUID()}`;
  try {
    await writeFile(probe, "now");
    return (await stat(probe)).mtimeMs;
  } catch {
    // Whoever may not write here only looks.
    return clock.now();
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
}

function thisProcess(): LockHolder {
  return { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? "unknown" };
}

/** When a process started, in the words of the operating system; null when there is none. */
function startOf(pid: number): string | null {
  try {
    if (process.platform === "linux") {
      // Field 22 counts clock ticks since boot; the name in field 2 may hold spaces and brackets.
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ");
      // A zombie is dead; in a container without an init process nobody ever buries it.
      return fields?.[0] === "Z" ? null : (fields?.[19] ?? null);
    }
    if (process.platform !== "win32") {
      const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { stdio: "pipe" });
      return started.toString().trim() || null;
    }
    process.kill(pid, 0);
    return "running";
  } catch {
    return null;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
