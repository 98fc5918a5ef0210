import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename } from "node:path";

import { UsageError } from "../errors.ts";
import { DuplicateFinder, hashOf } from "../input/duplicates.ts";
import type { Item } from "../item.ts";
import { readRequest } from "../job/request-hash.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import { boundedCase, hasBudget } from "./budget/check.ts";
import { largerCase, type WorstCase } from "./budget/worst-case.ts";
import { idleNotes, sameQuestion, sharedChance, slips } from "./input-warnings.ts";
import { readItems } from "./read-items.ts";
import { RequestTable } from "./reuse/request-table.ts";

/** What one whole pass over an input found. */
export interface InputScan {
  readonly records: number;
  /** Records that this run asks about: all, or the first n. */
  readonly items: number;
  readonly bytes: number;
  readonly sha256: string;
  /** What {@link lastModified} said before the pass began. */
  readonly modified: string;
  /** A CSV's header, or every name that a JSONL's records use, in order of appearance. */
  readonly columns: readonly string[];
  /** The items themselves, where they are few enough to be kept: then nobody need read them again. */
  readonly kept: readonly Item[] | null;
  /** Models that the items ask, at most {@link MOST_MODELS}. */
  readonly models: readonly string[];
  /** The most that an item may use; null where the run has no budget. */
  readonly largest: WorstCase | null;
  /** What each item asks; null where nobody compares requests. */
  readonly requests: RequestTable | null;
  /** The ids of all records; null where nobody compares inputs. */
  readonly ids: DuplicateFinder | null;
  /** What is no error, but hardly meant. */
  readonly warnings: readonly string[];
}

/** What an item asks, beside what others ask. */
export interface ScannedRequest {
  readonly hash: Buffer;
  /** Whether an item before it asks the same. */
  readonly isRepeat: boolean;
}

const MOST_MODELS = 100;
/** Bytes of input, and characters of requests, that are kept. */
export const MOST_KEPT = 1024 * 1024;

/**
 * Reads and renders the whole input before anything is called, so that what is wrong with it is
 * told while it is still free.
 *
 * @param onItem sees each item of the run, and what it asks where requests are compared.
 * @throws UsageError with file and line for the first thing that is wrong.
 */
export async function scanInput(
  job: ResolvedJob,
  signal: AbortSignal,
  onItem?: (item: Item, request: ScannedRequest | null) => void,
): Promise<InputScan> {
  const hash = createHash("sha256");
  let bytes = 0;
  const modified = await lastModified(job.inputs);
  const source = await readItems(job, {
    signal,
    onBytes: (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
    },
  });
  const ids = new DuplicateFinder();
  const columns = new Set<string>(source.columns ?? []);
  const models = new Set<string>();
  let kept: Item[] | null = (await sizeOf(job.inputs)) <= MOST_KEPT ? [] : null;
  let keptSize = 0;
  let records = 0;
  const requests = job.dedupe || job.incremental ? new RequestTable() : null;
  let warmest = 0;
  const isBudgeted = hasBudget(job);
  let largest: WorstCase | null = null;
  let firstBody: string | null = null;
  let allTheSame = true;
  const idle = idleNotes(job);
  for await (const batch of source.batches()) {
    for (const { record, item } of batch) {
      records += 1;
      ids.add(item.customId);
      if (source.columns === null) for (const name of Object.keys(record.fields)) columns.add(name);
      if (job.first !== null && records > job.first) continue;
      idle.see(record);
      firstBody ??= item.body;
      allTheSame &&= item.body === firstBody;
      if (isBudgeted) {
        largest = largerCase(largest, boundedCase(item, job, `${record.path}:${record.line}`));
      }
      if (models.size < MOST_MODELS) models.add(item.model);
      keptSize += item.body.length;
      if (keptSize > MOST_KEPT) kept = null;
      kept?.push(item);
      let request: ScannedRequest | null = null;
      if (requests !== null) {
        const { hash, temperature } = readRequest(item.body);
        request = { hash, isRepeat: requests.add(hash) };
        if (request.isRepeat) warmest = Math.max(warmest, temperature ?? 0);
      }
      onItem?.(item, request);
    }
  }
  const suspects = ids.suspects();
  if (suspects.size > 0) await refuseDuplicates(job, suspects, signal);
  const items = Math.min(records, job.first ?? records);
  return {
    records,
    items,
    bytes,
    sha256: hash.digest("hex"),
    modified,
    columns: source.columns ?? [...columns],
    kept,
    models: [...models],
    largest,
    requests,
    ids: job.incremental ? ids : null,
    warnings: [
      ...idle.notes,
      ...slips(job),
      ...(allTheSame && items > 1 ? [sameQuestion(job, items)] : []),
      ...(requests !== null && job.dedupe && warmest > 0 ? [sharedChance(requests, warmest)] : []),
    ],
  };
}

/** Changes whenever one of the files is written to, replaced or removed. */
export async function lastModified(paths: readonly string[]): Promise<string> {
  const marks: string[] = [];
  for (const path of paths) {
    try {
      const { mtimeNs, size, ino } = await stat(path, { bigint: true });
      marks.push(`${mtimeNs} ${size} ${ino}`);
    } catch {
      marks.push("");
    }
  }
  return marks.join("\n");
}

async function sizeOf(paths: readonly string[]): Promise<number> {
  const sizes = paths.map((path) =>
    stat(path).then(
      (found) => found.size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Equal hashes are not yet equal ids: reads the input again and compares the ids themselves. */
async function refuseDuplicates(
  job: ResolvedJob,
  suspects: ReadonlySet<bigint>,
  signal: AbortSignal,
): Promise<void> {
  const places = new Map<string, string>();
  const source = await readItems(job, { signal });
  for await (const batch of source.batches()) {
    for (const { record, item } of batch) {
      if (!suspects.has(hashOf(item.customId))) continue;
      const first = places.get(item.customId);
      if (first !== undefined) {
        throw new UsageError(
          `${record.path}:${record.line}: the id ${JSON.stringify(item.customId)} was used ${first} already. ` +
            "Each item needs an id of its own: correct it, or choose another column with --id-column.",
        );
      }
      const file = job.inputs.length > 1 ? ` of ${basename(record.path)}` : "";
      places.set(item.customId, `on line ${record.line}${file}`);
    }
  }
}
