import { RecordError, UsageError } from "../errors.ts";
import { openInputs } from "../input/files.ts";
import type { InputRecord } from "../input/records.ts";
import type { Item } from "../item.ts";
import { compileRequests } from "../job/request.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /** Told of the input's raw bytes as they are read. */
  readonly onBytes?: (chunk: Buffer) => void;
}

/** A record and what it asks. */
export interface RecordItem {
  readonly record: InputRecord;
  readonly item: Item;
}

/** The input, opened: its columns and its items in order. */
export interface ItemSource {
  /** A CSV's header; null for JSONL. */
  readonly columns: readonly string[] | null;
  batches(): AsyncGenerator<readonly RecordItem[]>;
}

/**
 * Reads the input and renders each record's request. Every pass over an input goes through here,
 * so what the first pass found good is what is sent.
 *
 * @throws UsageError with file and line for a record that is no request.
 */
export async function readItems(job: ResolvedJob, options: ReadOptions = {}): Promise<ItemSource> {
  const input = await openInputs(job.inputs, {
    ...options,
    ...(job.encoding !== null && { encoding: job.encoding }),
    ...(job.delimiter !== null && { delimiter: job.delimiter }),
  });
  try {
    const toRequest = compileRequests(job, input.columns, job.where);
    const toItem = (record: InputRecord): RecordItem => {
      try {
        return { record, item: { index: record.index, ...toRequest(record) } };
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        throw new UsageError(`${record.path}:${record.line}: ${error.message}`, { cause: error });
      }
    };
    return {
      columns: input.columns,
      async *batches() {
        for await (const records of input.batches()) yield records.map(toItem);
      },
    };
  } catch (error) {
    await input.close();
    throw error;
  }
}
