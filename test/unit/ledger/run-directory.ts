import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { vi } from "vitest";

import { summarizeAnswer } from "../../../src/answer-summary.ts";
import { FILES } from "../../../src/ledger/files.ts";
import { Ledger } from "../../../src/ledger/ledger.ts";
import { lineIndex, linePrefix } from "../../../src/ledger/line.ts";
import type { Manifest } from "../../../src/ledger/manifest.ts";
import type { Completed, Failed, Outcome } from "../../../src/outcome.ts";
import type { CostOf } from "../../../src/tokens.ts";

export const RUN_ID = "reviews-20260102t020000z-abc12";

/** A run directory for one test. */
export interface RunDirectory extends AsyncDisposable {
  readonly path: string;
  file(name: string): string;
  /** The content of a file in it, or nothing. */
  text(name: string): Promise<string>;
}

export async function runDirectory(): Promise<RunDirectory> {
  const path = await mkdtemp(join(tmpdir(), "nightshift-ledger-"));
  return {
    path,
    file: (name) => join(path, name),
    text: (name) => readFile(join(path, name), "utf8").catch(() => ""),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Resolves when the disk or another process has come so far; a machine under load may take a while. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 4_000, interval: 5 });
}

/** One micro-dollar a token, but nobody knows what the model `mystery` costs. */
export const costOf: CostOf = (model, { total }) =>
  model === "mystery" ? null : total / 1_000_000;

export function openLedger({ path }: { readonly path: string }): Promise<Ledger> {
  return Ledger.open(path, RUN_ID, costOf);
}

/** The indexes of a ledger file's lines, in the file's order. */
export async function indexesIn(directory: RunDirectory, name: string): Promise<(number | null)[]> {
  const lines = (await directory.text(name)).split("\n");
  return lines.slice(0, -1).map((line) => lineIndex(line, linePrefix(RUN_ID)));
}

export function aCompleted(
  index: number,
  { body = aBody(), ...changes }: Partial<Omit<Completed, "summary">> & { body?: string } = {},
): Completed {
  return {
    kind: "completed",
    summary: summarizeAnswer(JSON.parse(body)),
    index,
    customId: `row-${index}`,
    attempts: 1,
    ms: 800,
    possiblyBilled: 0,
    retries: {},
    response: { status: 200, requestId: `req-${index}`, body },
    ...changes,
  };
}

export function aFailed(index: number, changes: Partial<Failed> = {}): Failed {
  return {
    kind: "failed",
    class: "item",
    index,
    customId: `row-${index}`,
    attempts: 1,
    ms: 90,
    possiblyBilled: 0,
    retries: {},
    response: null,
    error: { code: "content_filter", message: "blocked" },
    ...changes,
  };
}

/** An answer that was withheld, and charged. */
export function aFiltered(index: number, changes: Partial<Failed> = {}): Failed {
  const body = aBody({ content: null, finishReason: "content_filter" });
  return aFailed(index, { response: { status: 200, requestId: null, body }, ...changes });
}

/** A chat completion as JSON text. */
export function aBody({
  content = "positive",
  model = "gpt-4o-mini",
  finishReason = "stop",
  usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
}: {
  content?: string | null;
  model?: string;
  finishReason?: string;
  usage?: object | null;
} = {}): string {
  return JSON.stringify({
    id: "chatcmpl-1",
    model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: finishReason }],
    ...(usage !== null && { usage }),
  });
}

/** Any way that one of the first `items` items may end. */
export function anOutcome(items = 12): fc.Arbitrary<Outcome> {
  const ended = {
    index: fc.nat(items - 1),
    customId: fc.string({ unit: "binary", maxLength: 12 }),
    attempts: fc.integer({ min: 1, max: 6 }),
    ms: fc.double({ min: 0, max: 90_000, noNaN: true }),
    possiblyBilled: fc.nat(2),
    retries: fc.dictionary(fc.constantFrom("http_500", "timeout", "rate_limited"), fc.nat(5)),
  };
  const shared = fc.record({ kind: fc.constant("shared" as const), with: fc.nat(items - 1) });
  const reused = fc.option(shared, { nil: undefined });
  const usage = fc.record({ prompt_tokens: fc.nat(9_999), completion_tokens: fc.nat(9_999) });
  const body = fc
    .record({
      content: fc.string({ unit: "binary" }),
      model: fc.constantFrom("gpt-4o-mini", "qwen-max", "mystery"),
      finishReason: fc.constantFrom("stop", "length"),
      usage: fc.option(usage),
    })
    .map(aBody);
  return fc.oneof(
    fc
      .record({ ...ended, body, reused })
      .map(({ reused, ...answered }) =>
        aCompleted(answered.index, { ...answered, ...(reused !== undefined && { reused }) }),
      ),
    fc
      .record({ ...ended, message: fc.string({ unit: "binary" }) })
      .map(({ message, ...rest }) =>
        aFailed(rest.index, { ...rest, error: { code: "http_500", message } }),
      ),
    fc
      .record({ ...ended, body })
      .map(({ body, ...rest }) =>
        aFailed(rest.index, { ...rest, response: { status: 200, requestId: null, body } }),
      ),
  );
}

export function aManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    run_id: RUN_ID,
    state: "running",
    reason: null,
    job: { name: "reviews" },
    identity: { input: "abc" },
    input: { path: "/data/reviews.csv", bytes: 120, sha256: "abc", records: 4 },
    items: 4,
    columns: ["review_id", "text"],
    output: FILES.output("csv"),
    base_url: "https://1688token.ai/v1",
    created_at: "2026-01-02T02:00:00.000Z",
    updated_at: "2026-01-02T02:00:00.000Z",
    finished_at: null,
    sittings: [{ started_at: "2026-01-02T02:00:00.000Z", ended_at: null }],
    versions: { nightshift: "0.1.0", node: "24.0.0" },
    ...changes,
  };
}
