import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { RunStopped } from "../../../src/errors.ts";
import { identityOf } from "../../../src/job/identity.ts";
import type { ResolvedJob } from "../../../src/job/resolved-job.ts";
import { readManifest } from "../../../src/ledger/manifest.ts";
import {
  beginSitting,
  checkIdentity,
  endSitting,
  newManifest,
  noteHeld,
  noteHelped,
} from "../../../src/run/life.ts";
import { aJob, aManifest, anOrder, aScan, aScene, aWorkspace } from "./jobs.ts";

const START = "2026-01-01T00:00:00.000Z";

describe("a new run", () => {
  it("is running, and knows what it is made of", () => {
    const { order } = anOrder();
    expect(newManifest(order, "reviews-1", aScan({ records: 20, items: 5 }))).toMatchObject({
      run_id: "reviews-1",
      state: "running",
      reason: null,
      job: { name: "reviews", model: "gpt-4o-mini" },
      input: { path: "/data/reviews.csv", bytes: 100, sha256: "abc", records: 20 },
      items: 5,
      columns: ["id", "text"],
      base_url: "http://gateway.test/v1",
      created_at: START,
      finished_at: null,
      sittings: [],
    });
  });

  it("holds no key", () => {
    const { order } = anOrder();
    expect(JSON.stringify(newManifest(order, "reviews-1", aScan()))).not.toContain("sk-test");
  });

  it.each([
    ["in.csv", "output.csv"],
    ["in.TSV.gz", "output.csv"],
    ["in.jsonl", "output.jsonl"],
    ["in.csv.ndjson", "output.jsonl"],
  ])("of %s is joined to %s", (input, output) => {
    const { order } = anOrder({ job: aJob({ input }) });
    expect(newManifest(order, "reviews-1", aScan()).output).toBe(output);
  });
});

describe("the identity of a run", () => {
  /** What is said when a run that began with one job is continued with another. */
  function refusal(now: Partial<ResolvedJob>, sha256 = "abc"): string {
    const manifest = aManifest({ identity: { ...identityOf(aJob(), "abc") } });
    try {
      checkIdentity("/srv/runs/reviews", manifest, aJob(now), aScan({ sha256 }));
      return "no error";
    } catch (error) {
      return String(error);
    }
  }

  it("is no matter for a new run", () => {
    expect(() => checkIdentity("/srv/runs/new", null, aJob(), aScan())).not.toThrow();
  });

  it("is kept by changes to limits, time, attempts, output and name of the job", () => {
    const changes = { concurrency: 1, rpm: 5, timeoutMs: 1, attempts: 1, csvBom: true, first: 3 };
    expect(refusal({ ...changes, stream: true, onLength: "fail", name: "other" })).toBe("no error");
  });

  it.each<[string, Partial<ResolvedJob>, string]>([
    ["model", { model: "gpt-5" }, 'model (was "gpt-4o-mini", now "gpt-5")'],
    ["messages", { messages: [{ role: "user", content: "Other" }] }, "messages"],
    ["params", { params: { temperature: 1 } }, "params"],
    ["id", { id: "{{ sku }}" }, 'id (was "", now "{{ sku }}")'],
  ])("is another with another %s, and that is said", (_name, now, said) => {
    expect(refusal(now)).toMatch(/^UsageError: .*runs\/reviews holds answers to other questions/);
    expect(refusal(now)).toContain(`changed since it began: ${said}. `);
  });

  it("is another with another input", () => {
    expect(refusal({}, "def")).toContain("changed since it began: input. ");
  });

  it("names everything that differs", () => {
    expect(refusal({ params: { n: 2 } }, "def")).toContain("input, params. ");
  });

  it("says how to go on", () => {
    expect(refusal({ model: "gpt-5" })).toMatch(/Take the change back .* --new/);
  });
});

describe("a sitting", () => {
  it("begins by saying so in run.json, whatever stopped the run before", async () => {
    await using workspace = await aWorkspace();
    const { order } = anOrder();
    const reason = { code: "account", message: "no money", remedy: "Top up." };
    const found = aManifest({ state: "paused", reason, items: 5 });
    const began = await beginSitting(
      aScene(order, { directory: workspace.path }),
      found,
      10,
      "pending",
    );
    expect(began).toMatchObject({
      state: "running",
      reason: null,
      items: 10,
      sittings: [{ started_at: START, ended_at: null }],
    });
    expect(await readManifest(workspace.path)).toEqual(began);
  });

  it("on a shared Redis notes that something of the run may be left there, whoever sits down next", async () => {
    await using workspace = await aWorkspace();
    const tls = { ca: null, cert: null, key: null };
    const { order } = anOrder({ redis: { address: "/redis.sock", prefix: "nightshift", tls } });
    const scene = aScene(order, { directory: workspace.path });
    const began = await beginSitting(scene, aManifest(), 10, "pending");
    expect(began.in_redis).toBe(true);
    const alone = aScene(anOrder().order, { directory: workspace.path });
    expect((await beginSitting(alone, aManifest(), 10, "pending")).in_redis).toBeUndefined();
    expect((await beginSitting(alone, began, 10, "pending")).in_redis).toBe(true);
  });

  it("on a shared Redis keeps a pause until somebody resumes the run, whatever stops it", async () => {
    await using workspace = await aWorkspace();
    const tls = { ca: null, cert: null, key: null };
    const { order } = anOrder({ redis: { address: "/redis.sock", prefix: "nightshift", tls } });
    const scene = aScene(order, { directory: workspace.path });
    await noteHeld(scene, aManifest(), true);
    const held = await readManifest(workspace.path);
    expect(held).toMatchObject({ state: "paused", reason: { code: "paused" }, held: true });

    const began = await beginSitting(scene, held ?? aManifest(), 10, "pending");
    expect(began.held).toBe(true);
    const stop = new RunStopped("interrupted", "stopped", "Run it again.");
    const left = await endSitting(scene, began, stop);
    expect([left.held, left.reason?.remedy]).toEqual([
      true,
      expect.stringMatching(/^Run it again\. `nightshift resume \S+` lets it go on\.$/),
    ]);
    await noteHeld(scene, left, false);
    expect((await readManifest(workspace.path))?.held).toBe(false);
  });

  it("remembers that workers helped, whatever else is noted", async () => {
    await using workspace = await aWorkspace();
    const scene = aScene(anOrder().order, { directory: workspace.path });
    const helped = await noteHelped(scene, aManifest());
    expect(await noteHeld(scene, helped, true)).toMatchObject({ helped: true, held: true });
    expect(await readManifest(workspace.path)).toMatchObject({ helped: true, held: true });
    expect((await beginSitting(scene, helped, 10, "pending")).helped).toBe(true);
  });

  it("that nobody could resume forgets a pause", async () => {
    await using workspace = await aWorkspace();
    const scene = aScene(anOrder().order, { directory: workspace.path });
    const began = await beginSitting(scene, aManifest({ held: true }), 10, "pending");
    expect(began.held).toBe(false);
  });

  it("that asks failed items again leaves the job as it was", async () => {
    await using workspace = await aWorkspace();
    const { order } = anOrder({ job: aJob({ concurrency: 1 }) });
    const scene = aScene(order, { directory: workspace.path });
    const found = aManifest({ job: { name: "reviews", concurrency: 64 } });
    expect((await beginSitting(scene, found, 10, "failed")).job).toEqual(found.job);
  });

  it("that was killed ended with its last written line", async () => {
    await using workspace = await aWorkspace();
    const { order } = anOrder();
    const lastLine = new Date("2025-12-31T08:00:00.000Z");
    await workspace.write("errors.jsonl", "");
    await workspace.write("results.jsonl", "");
    await utimes(join(workspace.path, "results.jsonl"), lastLine, lastLine);
    await utimes(join(workspace.path, "errors.jsonl"), 0, 0);
    const killed = { started_at: "2025-12-31T07:00:00.000Z", ended_at: null };
    const scene = aScene(order, { directory: workspace.path });
    const { sittings } = await beginSitting(
      scene,
      aManifest({ sittings: [killed] }),
      10,
      "pending",
    );
    expect(sittings).toEqual([
      { ...killed, ended_at: lastLine.toISOString() },
      { started_at: START, ended_at: null },
    ]);
  });

  it("that was killed before it wrote anything ended as it began", async () => {
    await using workspace = await aWorkspace();
    const { order } = anOrder();
    const killed = { started_at: "2025-12-31T07:00:00.000Z", ended_at: null };
    const scene = aScene(order, { directory: workspace.path });
    const found = aManifest({ sittings: [killed] });
    const { sittings } = await beginSitting(scene, found, 10, "pending");
    expect(sittings[0]).toEqual({ ...killed, ended_at: killed.started_at });
  });

  it.each([
    [null, "finished", null],
    [new RunStopped("cancelled", "m", "r"), "cancelled", "cancelled"],
    [new RunStopped("account", "m", "r"), "paused", "account"],
    [new RunStopped("interrupted", "m", "r"), "paused", "interrupted"],
  ] as const)("ends by saying how: %s", async (stop, state, code) => {
    await using workspace = await aWorkspace();
    const { order, clock } = anOrder();
    const scene = aScene(order, { directory: workspace.path });
    const began = await beginSitting(scene, aManifest(), 10, "pending");
    await clock.advance(60_000);
    const ended = await endSitting(scene, began, stop);
    const now = "2026-01-01T00:01:00.000Z";
    expect(ended).toMatchObject({
      state,
      reason: code === null ? null : { code, message: "m", remedy: "r" },
      finished_at: stop === null ? now : null,
      sittings: [{ started_at: START, ended_at: now }],
    });
    expect(await readManifest(workspace.path)).toEqual(ended);
  });

  describe("whose end cannot be written", () => {
    const inAFile = async (
      path: string,
      order = anOrder().order,
    ): Promise<ReturnType<typeof aScene>> => {
      await mkdir(path, { recursive: true });
      await writeFile(join(path, "file"), "");
      return aScene(order, { directory: join(path, "file") });
    };

    it("tells what `status` will take it for", async () => {
      await using workspace = await aWorkspace();
      const { order, events } = anOrder();
      await endSitting(await inAFile(workspace.path, order), aManifest(), null);
      expect(events).toEqual([
        {
          event: "warning",
          message: expect.stringMatching(/^run\.json was not written .*status/) as string,
        },
      ]);
    });

    it("has stopped all the same: `running` goes on as well as `paused`", async () => {
      await using workspace = await aWorkspace();
      const ending = endSitting(
        await inAFile(workspace.path),
        aManifest(),
        new RunStopped("disk", "full", "Make room."),
      );
      await expect(ending).resolves.toMatchObject({ state: "paused" });
    });

    it("has not finished", async () => {
      await using workspace = await aWorkspace();
      const ended = await endSitting(await inAFile(workspace.path), aManifest(), null);
      expect(ended).toMatchObject({ state: "paused", reason: { code: "disk" } });
    });
  });
});
