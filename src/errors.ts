// Errors that a person can act on. Everything else is a bug and keeps its stack.

/**
 * The user's words, job file, input or directory are at fault: nothing was called.
 * The message says what, where, what was found and what to do.
 */
export class UsageError extends Error {
  override readonly name = "UsageError" as const;
}

/** Why a run stopped before its end. Each can be continued with the same command. */
export type StopReason =
  | "account"
  | "budget"
  | "outage"
  | "paused"
  | "cancelled"
  | "disk"
  | "redis"
  | "input"
  | "internal"
  | "interrupted";

/** The run cannot go on now, but nothing is lost: the same command continues it. */
export class RunStopped extends Error {
  override readonly name = "RunStopped" as const;
  readonly reason: StopReason;
  /** What the user should do before continuing. */
  readonly remedy: string;

  constructor(reason: StopReason, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** One record of the input cannot become a request. Whoever knows the file puts `file:line` in front. */
export class RecordError extends Error {
  override readonly name = "RecordError" as const;
}
