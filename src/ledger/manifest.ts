import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as z from "zod";

import { UsageError } from "../errors.ts";
import { FILES, replaceJson } from "./files.ts";

const manifestSchema = z.object({
  run_id: z.string(),
  state: z.enum(["running", "paused", "cancelled", "finished"]),
  /** Why the run is not running; null while it is, and when it finished. */
  reason: z.object({ code: z.string(), message: z.string(), remedy: z.string() }).nullable(),
  /** The resolved job, without secrets. */
  job: z.record(z.string(), z.unknown()),
  /** What makes this run this run: it may not change between sittings. */
  identity: z.record(z.string(), z.unknown()),
  input: z.object({
    path: z.string(),
    bytes: z.number(),
    sha256: z.string(),
    /** Records in the whole input; null until it was read to its end. */
    records: z.number().nullable(),
  }),
  /** Items of this run: all records, or the first n. */
  items: z.number().nullable(),
  /** The input's columns in order: a CSV's header, or all names that a JSONL's records use. */
  columns: z.array(z.string()),
  output: z.string(),
  base_url: z.string(),
  /** Prices by model from the gateway's own list, in the words of the job's `pricing`; absent where none was needed. */
  gateway_prices: z
    .record(
      z.string(),
      z.object({
        input: z.number(),
        output: z.number(),
        cached_input: z.number().exactOptional(),
        request: z.number().exactOptional(),
      }),
    )
    .exactOptional(),
  /** Which firing of a schedule this run is; absent where it was started by hand. */
  schedule: z
    .object({ tick: z.string(), job_file: z.string(), by_hand: z.boolean() })
    .exactOptional(),
  /** Whether somebody has paused it on a shared Redis: whoever goes on with it there waits, too. */
  held: z.boolean().exactOptional(),
  /** Whether something of it may be left in a shared Redis; absent where it never was in one. */
  in_redis: z.boolean().exactOptional(),
  /** Whether workers elsewhere were seen to help; absent where nobody looked. */
  helped: z.boolean().exactOptional(),
  /** Items of the run before that are no longer in the input; absent where nobody looked. */
  vanished: z.number().exactOptional(),
  created_at: z.string(),
  updated_at: z.string(),
  finished_at: z.string().nullable(),
  /** Each time a process worked on the run. */
  sittings: z.array(z.object({ started_at: z.string(), ended_at: z.string().nullable() })),
  versions: z.object({ nightshift: z.string(), node: z.string() }),
});

/** `run.json`: what a run is and where it stands. */
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * Reads `run.json`; null when the directory holds no run.
 *
 * @throws UsageError when it is there but is no manifest.
 */
export async function readManifest(directory: string): Promise<Manifest | null> {
  const path = join(directory, FILES.manifest);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new UsageError(
      `${path} is no manifest of a run. Restore it from a backup, or choose another directory.`,
      { cause: error },
    );
  }
}

/** @throws UsageError when the directory holds no run. */
export async function requireManifest(directory: string): Promise<Manifest> {
  const manifest = await readManifest(directory);
  if (manifest === null) {
    throw new UsageError(
      `${directory} is no run directory: it has no ${FILES.manifest}. ` +
        "Name the directory that `nightshift run` printed, for example runs/reviews-20260102T020000Z.",
    );
  }
  return manifest;
}

export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  await replaceJson(join(directory, FILES.manifest), manifest);
}

/** Milliseconds in which some process worked on the run, up to `now`. */
export function workedMs(manifest: Manifest, now: number): number {
  return manifest.sittings.reduce((sum, { started_at: started, ended_at: ended }) => {
    return sum + Math.max(0, (ended === null ? now : Date.parse(ended)) - Date.parse(started));
  }, 0);
}
