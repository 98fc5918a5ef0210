import { messageOf, RunStopped, UsageError } from "../errors.ts";

/** Whatever was thrown in mid-run, as a stop that a person can act on. */
export function asRunStopped(reason: unknown): RunStopped {
  if (reason instanceof RunStopped) return reason;
  if (reason instanceof UsageError) {
    return new RunStopped("input", reason.message, "Correct it, then run the same command again.");
  }
  return new RunStopped(
    "internal",
    `an unexpected error: ${messageOf(reason)}`,
    "Run the same command again: it goes on where it stopped. Please report the stack in run.log.",
    reason,
  );
}

/** The reason with which a caller's signal aborted, which may be anything. */
export function asInterruption(reason: unknown): RunStopped {
  return reason instanceof RunStopped
    ? reason
    : new RunStopped("interrupted", "stopped by the caller", "Run the same command again.");
}
