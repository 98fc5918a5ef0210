import { UsageError } from "../errors.ts";
import type { JobOverrides } from "../job/resolve.ts";
import type { Json } from "../job/schema.ts";

/** Flags that beat the job file. */
export interface JobFlags extends Omit<JobOverrides, "params"> {
  /** `key=value` with a JSON value, or plain text where it is no JSON. */
  readonly param?: readonly string[];
}

const SETTINGS = [
  "out",
  "model",
  "prompt",
  "system",
  "idColumn",
  "encoding",
  "delimiter",
  "csvBom",
  "csvSafe",
  "concurrency",
  "rpm",
  "tpm",
  "budgetUsd",
  "budgetTokens",
  "budgetRequests",
  "attempts",
  "timeout",
  "maxOutage",
  "stream",
  "dedupe",
  "incremental",
  "first",
] as const satisfies readonly (keyof JobFlags)[];

/** The settings among a command's flags, only those that were given. */
export function overridesOf(flags: JobFlags): JobOverrides {
  const given = SETTINGS.filter((name) => flags[name] !== undefined);
  return {
    ...Object.fromEntries(given.map((name) => [name, flags[name]])),
    ...(flags.param !== undefined && { params: Object.fromEntries(flags.param.map(parseParam)) }),
  };
}

function parseParam(text: string): [string, Json] {
  const at = text.indexOf("=");
  if (at <= 0) {
    throw new UsageError(
      `--param ${JSON.stringify(text)}: write key=value, for example --param temperature=0`,
    );
  }
  const value = text.slice(at + 1);
  try {
    return [text.slice(0, at), JSON.parse(value) as Json];
  } catch {
    return [text.slice(0, at), value];
  }
}
