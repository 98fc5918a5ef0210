import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { Identity } from "../../../src/job/identity.ts";
import { type Manifest, writeManifest } from "../../../src/ledger/manifest.ts";
import {
  chooseDirectory,
  type DirectoryQuestion,
  listRuns,
  newRunId,
} from "../../../src/run/directory.ts";
import { aJob, aManifest, aWorkspace, errorOf, type Workspace } from "./jobs.ts";

const NOW = Date.UTC(2026, 0, 2, 20, 30, 5);

function question(
  { path }: Workspace,
  changes: Partial<DirectoryQuestion> = {},
): DirectoryQuestion {
  return {
    job: aJob(),
    fresh: false,
    runId: "reviews-20260102t203005z-abcde",
    items: 10,
    identity: aManifest().identity as Identity,
    now: NOW,
    workingDirectory: path,
    firing: null,
    ...changes,
  };
}

/** Leaves a run in the workspace. */
async function aRun(
  { path }: Workspace,
  name: string,
  changes: Partial<Manifest> = {},
): Promise<string> {
  const directory = join(path, name);
  await mkdir(directory, { recursive: true });
  await writeManifest(directory, aManifest(changes));
  return directory;
}

describe("the run directory, where none was named,", () => {
  it("is a new one, named for the job and the time", async () => {
    await using workspace = await aWorkspace();
    expect(await chooseDirectory(question(workspace))).toEqual({
      path: join(workspace.path, "runs/reviews-20260102T203005Z"),
      manifest: null,
      found: false,
    });
  });

  it.each(["running", "paused", "cancelled"] as const)(
    "is the one of a run that is %s",
    async (state) => {
      await using workspace = await aWorkspace();
      const path = await aRun(workspace, "runs/before", { state });
      const chosen = await chooseDirectory(question(workspace));
      expect(chosen).toMatchObject({ path, found: true, manifest: { state } });
    },
  );

  it("is the one of the newest unfinished run", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/c", { created_at: "2026-01-01T00:00:00.000Z" });
    const path = await aRun(workspace, "runs/b", { created_at: "2026-01-02T00:00:00.000Z" });
    await aRun(workspace, "runs/a", { created_at: "2026-01-03T00:00:00.000Z", state: "finished" });
    expect((await chooseDirectory(question(workspace))).path).toBe(path);
  });

  it.each<[string, Partial<Manifest>]>([
    ["is finished", { state: "finished" }],
    ["has another job", { job: { name: "others" } }],
    ["has another input", { input: { ...aManifest().input, path: "/data/other.csv" } }],
  ])("is not the one of a run that %s", async (_name, changes) => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/before", changes);
    expect((await chooseDirectory(question(workspace))).manifest).toBeNull();
  });

  it("is the one of a finished trial, when more is asked for", async () => {
    await using workspace = await aWorkspace();
    const path = await aRun(workspace, "runs/trial", { state: "finished", items: 5 });
    expect((await chooseDirectory(question(workspace, { items: 10 }))).path).toBe(path);
  });

  it("is the one of the newest trial, and of none that is older than a run of all", async () => {
    await using workspace = await aWorkspace();
    const trial = { state: "finished", items: 5 } as const;
    const [early, late] = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"];
    await aRun(workspace, "runs/a", { ...trial, created_at: early });
    const path = await aRun(workspace, "runs/b", { ...trial, created_at: late });
    expect((await chooseDirectory(question(workspace))).path).toBe(path);
    await aRun(workspace, "runs/b", { ...trial, items: 10, created_at: late });
    expect(await chooseDirectory(question(workspace))).toMatchObject({
      found: false,
      repeats: path,
    });
  });

  it("tells of a finished run that asked the same, unless it is to begin afresh", async () => {
    await using workspace = await aWorkspace();
    const repeats = await aRun(workspace, "runs/before", { state: "finished" });
    expect(await chooseDirectory(question(workspace))).toMatchObject({ manifest: null, repeats });
    expect(await chooseDirectory(question(workspace, { fresh: true }))).not.toHaveProperty(
      "repeats",
    );
    const other = { ...(aManifest().identity as Identity), model: "another" };
    const asked = question(workspace, { identity: other });
    expect(await chooseDirectory(asked)).not.toHaveProperty("repeats");
  });

  it("is not the one of a finished run whose input has grown since", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/before", { state: "finished", items: 5 });
    const identity = { ...(aManifest().identity as Identity), input: "grown" };
    expect((await chooseDirectory(question(workspace, { identity }))).found).toBe(false);
  });

  it("passes over an old unfinished run that asked other questions", async () => {
    await using workspace = await aWorkspace();
    const others = { created_at: "2026-01-01T00:00:00.000Z", identity: { messages: "others" } };
    await aRun(workspace, "runs/old", others);
    const identity = { messages: "mine" };
    const created_at = "2026-01-02T00:00:00.000Z";
    await aRun(workspace, "runs/new", { created_at, state: "finished", identity });
    expect((await chooseDirectory(question(workspace, { identity }))).found).toBe(false);
  });

  it("is the one of the newest run when that is unfinished and has answers, to refuse what has changed", async () => {
    await using workspace = await aWorkspace();
    const path = await aRun(workspace, "runs/newest", {});
    const identity = { ...(aManifest().identity as Identity), messages: "others" };
    expect((await chooseDirectory(question(workspace, { identity }))).found).toBe(false);
    await writeFile(join(path, "results.jsonl"), "an answer\n");
    expect(await chooseDirectory(question(workspace, { identity }))).toMatchObject({ path });
  });

  it("is not the one of a finished trial, when no more is asked for", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/trial", { state: "finished", items: 5 });
    expect((await chooseDirectory(question(workspace, { items: 5 }))).found).toBe(false);
  });

  it("is refused where it holds somebody's own files", async () => {
    await using workspace = await aWorkspace();
    await writeFile(join(workspace.path, "output.csv"), "my,own\n");
    const named = question(workspace, { job: aJob({ out: workspace.path }) });
    expect(await errorOf(chooseDirectory(named))).toContain("is no run directory, and not empty");
  });

  it("is a new one with --new, whatever is unfinished", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/before");
    const chosen = await chooseDirectory(question(workspace, { fresh: true }));
    expect(chosen).toMatchObject({ manifest: null, found: false });
  });

  it("has a number when another was begun in the same second", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/reviews-20260102T203005Z");
    await aRun(workspace, "runs/reviews-20260102T203005Z-2");
    const chosen = await chooseDirectory(question(workspace, { fresh: true }));
    expect(chosen.path).toBe(join(workspace.path, "runs/reviews-20260102T203005Z-3"));
  });

  it("is found though another run's manifest is damaged", async () => {
    await using workspace = await aWorkspace();
    await writeFile(join(await aRun(workspace, "runs/a"), "run.json"), "{");
    const path = await aRun(workspace, "runs/b");
    expect((await chooseDirectory(question(workspace))).path).toBe(path);
  });
});

describe("the run directory, where one was named,", () => {
  const named = (workspace: Workspace, out: string, timeZone: string | null = "UTC") =>
    question(workspace, { job: aJob({ out: join(workspace.path, out), timeZone }) });

  it("is that one, though another run is unfinished", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/before");
    expect(await chooseDirectory(named(workspace, "mine"))).toEqual({
      path: join(workspace.path, "mine"),
      manifest: null,
      found: false,
    });
  });

  it("is continued, finished or not", async () => {
    await using workspace = await aWorkspace();
    const path = await aRun(workspace, "mine", { state: "finished" });
    const chosen = await chooseDirectory(named(workspace, "mine"));
    expect(chosen).toMatchObject({ path, found: false, manifest: { state: "finished" } });
  });

  it("cannot be begun afresh while it holds a run", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "mine");
    const choosing = chooseDirectory({ ...named(workspace, "mine"), fresh: true });
    expect(await errorOf(choosing)).toMatch(/UsageError: .+mine holds run reviews-1 already/);
  });

  it("may be named by job, date, time and run", async () => {
    await using workspace = await aWorkspace();
    const out = "{{ name }}/{{date}}/{{ time }}/{{  run_id  }}";
    const { path } = await chooseDirectory(named(workspace, out));
    const parts = "reviews/2026-01-02/203005/reviews-20260102t203005z-abcde";
    expect(path).toBe(join(workspace.path, parts));
  });

  it("says of a name with its time which finished run asked the same", async () => {
    await using workspace = await aWorkspace();
    const repeats = await aRun(workspace, "out/before", { state: "finished" });
    const job = aJob({ out: "out/{{ time }}" });
    expect(await chooseDirectory(question(workspace, { job }))).toMatchObject({ repeats });
    const fresh = await chooseDirectory(question(workspace, { job, fresh: true }));
    expect(fresh).not.toHaveProperty("repeats");
  });

  it.each(["{{ name }}-{{ time }}", "{{run_id}}"])(
    "is the one of an unfinished run, where %s names another each time",
    async (out) => {
      await using workspace = await aWorkspace();
      const path = await aRun(workspace, "runs/reviews-020000", { state: "paused" });
      const again = named(workspace, join("runs", out));
      expect(await chooseDirectory(again)).toMatchObject({ path, found: true });
      const afresh = await chooseDirectory({ ...again, fresh: true });
      expect(afresh).toMatchObject({ manifest: null, found: false });
    },
  );

  it("is dated in the schedule's time zone", async () => {
    await using workspace = await aWorkspace();
    const out = "{{ date }}-{{ time }}";
    const { path } = await chooseDirectory(named(workspace, out, "Asia/Shanghai"));
    expect(path).toBe(join(workspace.path, "2026-01-03-043005"));
  });

  it.each(["weekday", "my name", "date | upcase", "constructor"])(
    "cannot be named by {{ %s }}",
    async (placeholder) => {
      await using workspace = await aWorkspace();
      const choosing = chooseDirectory(named(workspace, `runs/{{ ${placeholder} }}`));
      expect(await errorOf(choosing)).toBe(
        `UsageError: job.yaml: out: unknown placeholder {{ ${placeholder} }}: use {{ name }}, {{ date }}, {{ time }} or {{ run_id }}`,
      );
    },
  );
});

describe("the list of runs", () => {
  it("is empty where there are none", async () => {
    await using workspace = await aWorkspace();
    expect(await listRuns(join(workspace.path, "runs"))).toEqual([]);
  });

  it("has the newest first, and nothing that is no run", async () => {
    await using workspace = await aWorkspace();
    await aRun(workspace, "runs/a", { created_at: "2026-01-01T00:00:00.000Z" });
    await aRun(workspace, "runs/b", { created_at: "2026-01-03T00:00:00.000Z" });
    await aRun(workspace, "runs/c", { created_at: "2026-01-02T00:00:00.000Z" });
    await workspace.write("runs/.DS_Store", "");
    await mkdir(join(workspace.path, "runs/empty"));
    const runs = await listRuns(join(workspace.path, "runs"));
    expect(runs.map(({ path }) => path.slice(-1))).toEqual(["b", "c", "a"]);
  });
});

describe("a run's id", () => {
  it("tells job and time, and differs by chance", () => {
    expect(newRunId("Nightly Reviews", NOW, () => 0)).toBe(
      "nightly-reviews-20260102t203005z-00000",
    );
    expect(newRunId("Nightly Reviews", NOW, () => 0.999_999_999)).toMatch(/-zzzzz$/);
  });

  it.each(["评论", "__", "a".repeat(200), "x:y*z{}"])("is fit for Redis keys: %s", (name) => {
    expect(newRunId(name, NOW, () => 0.5)).toMatch(/^[a-z0-9][a-z0-9-]{0,70}$/);
  });
});
