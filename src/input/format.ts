import { UsageError } from "../errors.ts";
import { JSON_ARRAY_HINT } from "./jsonl.ts";

/** How a file is to be read, told by its name. */
export interface InputFormat {
  readonly kind: "csv" | "tsv" | "jsonl";
  readonly gzip: boolean;
}

/** Reads the format off the extension; anything but .csv .tsv .jsonl .ndjson (and .gz after it) is refused. */
export function formatOf(path: string): InputFormat {
  const match = /\.(csv|tsv|jsonl|ndjson)(\.gz)?$/i.exec(path);
  if (match === null) {
    const hint = /\.json(\.gz)?$/i.test(path) ? ` ${JSON_ARRAY_HINT}` : "";
    throw new UsageError(
      `${path}: unknown kind of input. Nightshift reads .csv, .tsv, .jsonl and .ndjson, each also as .gz; save a spreadsheet as "CSV UTF-8".${hint}`,
    );
  }
  const extension = match[1]?.toLowerCase();
  return {
    kind: extension === "csv" || extension === "tsv" ? extension : "jsonl",
    gzip: match[2] !== undefined,
  };
}
