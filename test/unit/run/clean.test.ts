import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { lockDirectory } from "../../../src/ledger/lock.ts";
import { type Manifest, writeManifest } from "../../../src/ledger/manifest.ts";
import { cleanRuns, type CleanRules } from "../../../src/run/clean.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { aManifest, aWorkspace, errorOf, type Workspace } from "./jobs.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 31);

/** Ended so many days ago. */
async function aRun(
  { path }: Workspace,
  name: string,
  days: number,
  changes: Partial<Manifest> = {},
): Promise<void> {
  const time = new Date(NOW - days * DAY_MS).toISOString();
  await mkdir(join(path, name));
  await writeManifest(
    join(path, name),
    aManifest({
      run_id: name,
      state: "finished",
      created_at: time,
      updated_at: time,
      finished_at: time,
      ...changes,
    }),
  );
}

async function clean(
  workspace: Workspace,
  rules: Partial<CleanRules>,
  dryRun = false,
): Promise<{ removed: string[]; left: string[] }> {
  const clock = new FakeClock(NOW);
  const all = { keepLast: null, olderThanMs: null, ...rules };
  const removed = await cleanRuns(workspace.path, all, { clock, dryRun });
  return {
    removed: removed.map(({ run_id: id }) => id).sort(),
    left: (await readdir(workspace.path)).sort(),
  };
}

describe("finished runs", () => {
  it("go where they are older than is said", async () => {
    await using workspace = await aWorkspace();
    for (const days of [1, 89, 91, 200]) await aRun(workspace, `r${days}`, days);
    expect(await clean(workspace, { olderThanMs: 90 * DAY_MS })).toEqual({
      removed: ["r200", "r91"],
      left: ["r1", "r89"],
    });
  });

  it("go beyond the newest so many of each job", async () => {
    await using workspace = await aWorkspace();
    for (const days of [1, 2, 3]) {
      await aRun(workspace, `a${days}`, days, { job: { name: "a" } });
      await aRun(workspace, `b${days}`, days + 10, { job: { name: "b" } });
    }
    expect((await clean(workspace, { keepLast: 2 })).removed).toEqual(["a3", "b3"]);
    expect((await clean(workspace, { keepLast: 0 })).left).toEqual([]);
  });

  it("go only where both hold, when both are said", async () => {
    await using workspace = await aWorkspace();
    for (const days of [1, 2, 100, 200]) await aRun(workspace, `r${days}`, days);
    const rules = { keepLast: 1, olderThanMs: 90 * DAY_MS };
    expect((await clean(workspace, rules)).removed).toEqual(["r100", "r200"]);
  });

  it("stay in a dry run, which tells the same", async () => {
    await using workspace = await aWorkspace();
    for (const days of [1, 100]) await aRun(workspace, `r${days}`, days);
    expect(await clean(workspace, { olderThanMs: DAY_MS * 50 }, true)).toEqual({
      removed: ["r100"],
      left: ["r1", "r100"],
    });
  });
});

describe("what stays, whatever is said", () => {
  it.each(["running", "paused", "cancelled"] as const)("is a run that is %s", async (state) => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "r", 500, { state });
    expect((await clean(workspace, { keepLast: 0 })).left).toEqual(["r"]);
  });

  it("is a run that somebody works on", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "r", 500);
    const lock = await lockDirectory(join(workspace.path, "r"), new FakeClock(NOW));
    expect((await clean(workspace, { keepLast: 0 })).removed).toEqual([]);
    await lock.release();
    expect((await clean(workspace, { keepLast: 0 })).removed).toEqual(["r"]);
  });

  it("is what is no run directory, and what a link leads to", async () => {
    await using workspace = await aWorkspace();
    await using elsewhere = await aWorkspace();
    await mkdir(join(workspace.path, "photos"));
    await writeFile(join(workspace.path, "notes.txt"), "");
    await aRun(elsewhere, "r", 500);
    await symlink(join(elsewhere.path, "r"), join(workspace.path, "link"));
    expect((await clean(workspace, { keepLast: 0 })).left).toEqual(["notes.txt", "photos"]);
    expect(await readdir(elsewhere.path)).toEqual(["r"]);
  });
});

it("a run directory itself, and one that is none, are refused", async () => {
  await using workspace = await aWorkspace();
  await aRun(workspace, "r", 500);
  const clock = new FakeClock(NOW);
  const rules = { keepLast: 0, olderThanMs: null };
  const cleaning = (name: string): Promise<string> =>
    errorOf(cleanRuns(join(workspace.path, name), rules, { clock, dryRun: false }));
  expect(await cleaning("r")).toContain("is a run directory: name the one that holds it");
  expect(await cleaning("nowhere")).toContain("is no directory");
});
