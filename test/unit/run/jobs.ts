import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

import type { ResolvedJob } from "../../../src/job/resolved-job.ts";
import type { Manifest } from "../../../src/ledger/manifest.ts";
import { Closers } from "../../../src/run/closers.ts";
import type { RunEvent } from "../../../src/run/events.ts";
import type { InputScan } from "../../../src/run/scan-input.ts";
import type { RunOrder, Scene } from "../../../src/run/scene.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

/** A directory of one test's own. */
export interface Workspace extends AsyncDisposable {
  readonly path: string;
  /** Writes a file, and returns its path. */
  write(name: string, content: string): Promise<string>;
}

export async function aWorkspace(): Promise<Workspace> {
  const path = await mkdtemp(join(tmpdir(), "nightshift-run-"));
  return {
    path,
    write: async (name, content) => {
      await writeFile(join(path, name), content);
      return join(path, name);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export function aJob(changes: Partial<ResolvedJob> = {}): ResolvedJob {
  return {
    name: "reviews",
    where: "job.yaml",
    input: "/data/reviews.csv",
    inputs: [changes.input ?? "/data/reviews.csv"],
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Say {{ text }}" }],
    params: {},
    id: null,
    concurrency: 4,
    rpm: null,
    tpm: null,
    budget: { usd: null, tokens: null, requests: null },
    attempts: 6,
    timeoutMs: 60_000,
    maxOutageMs: 60_000,
    stream: false,
    onLength: "keep",
    dedupe: false,
    incremental: false,
    out: null,
    encoding: null,
    delimiter: null,
    csvBom: false,
    csvSafe: false,
    first: null,
    pricing: null,
    timeZone: null,
    notify: null,
    ...changes,
  };
}

export function aScan(changes: Partial<InputScan> = {}): InputScan {
  return {
    records: 10,
    items: 10,
    bytes: 100,
    sha256: "abc",
    modified: "",
    columns: ["id", "text"],
    models: ["gpt-4o-mini"],
    kept: null,
    largest: null,
    requests: null,
    ids: null,
    warnings: [],
    ...changes,
  };
}

export function aManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    run_id: "reviews-1",
    state: "running",
    reason: null,
    job: { name: "reviews" },
    identity: {},
    input: { path: "/data/reviews.csv", bytes: 100, sha256: "abc", records: 10 },
    items: 10,
    columns: ["id", "text"],
    output: "output.csv",
    base_url: "http://gateway.test/v1",
    created_at: "2026-01-01T00:00:00.000Z",
    updated_at: "2026-01-01T00:00:00.000Z",
    finished_at: null,
    sittings: [],
    versions: { nightshift: "0.0.0", node: "24.0.0" },
    ...changes,
  };
}

/** An order on a clock of the test's, with everything that it tells. */
export function anOrder(changes: Partial<RunOrder> = {}): {
  readonly order: RunOrder;
  readonly clock: FakeClock;
  readonly events: RunEvent[];
} {
  const clock = new FakeClock();
  const events: RunEvent[] = [];
  const { signal } = new AbortController();
  const order: RunOrder = {
    job: aJob(),
    access: { baseUrl: "http://gateway.test/v1", apiKey: "sk-test" },
    proxy: { httpsProxy: null, httpProxy: null, noProxy: null },
    redis: null,
    works: true,
    fresh: false,
    firing: null,
    webhookUrl: null,
    webhookSecret: null,
    stateDirectory: null,
    metrics: null,
    logLevel: "silent",
    workingDirectory: "/srv",
    stdin: Readable.from([]),
    clock,
    random: () => 0,
    onEvent: (event) => events.push(event),
    signal,
    killSignal: signal,
    ...changes,
  };
  return { order, clock, events };
}

/** What the steps before the first item need of a scene: they touch no queue. */
export function aScene(
  order: RunOrder,
  changes: Partial<Pick<Scene, "scan" | "directory">> = {},
): Scene {
  const parts: Omit<Scene, "connection" | "prefix"> = {
    order,
    scan: aScan(),
    prices: { cost: () => null, source: () => null, learn: () => {}, learned: {} },
    directory: "/srv/runs/reviews",
    metrics: null,
    closers: new Closers(),
    ...changes,
  };
  return parts as Scene;
}

/** The text of the error that it rejects with. */
export async function errorOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return "no error";
  } catch (error) {
    return String(error);
  }
}
