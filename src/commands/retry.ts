import { UsageError } from "../errors.ts";
import type { Condition } from "../ledger/select.ts";
import { retry } from "../run/start.ts";
import type { ExitCode, Io } from "./io.ts";
import { report, type ReportedFlags } from "./run.ts";

export interface RetryFlags extends ReportedFlags {
  /** `code=timeout`, `class=retry`, `status=504` */
  readonly where?: readonly string[];
}

/** Asks the failed items of a run again. */
export async function retryCommand(
  directory: string,
  flags: RetryFlags,
  io: Io,
): Promise<ExitCode> {
  const conditions = (flags.where ?? []).map(parseCondition);
  return report(flags, io, (options) => retry(directory, conditions, options));
}

function parseCondition(text: string): Condition {
  const [, field, value] = /^(code|class|status)=(.+)$/.exec(text) ?? [];
  if (value !== undefined && (field === "code" || field === "class" || field === "status")) {
    return { field, value };
  }
  throw new UsageError(
    `--where ${JSON.stringify(text)}: write code=…, class=… or status=…, for example --where code=timeout ` +
      "(`nightshift status <run-dir>` shows the codes)",
  );
}
