import { RunStopped } from "../errors.ts";

const STOPPING =
  "stopping: what is in flight will be finished and recorded (once more stops at once)";

/** What is said at the second Ctrl-C or SIGTERM. */
export const STOPPED_AT_ONCE =
  "stopped at once: calls in flight are given up (they may be charged); the same command goes on";

/** What the first Ctrl-C, SIGTERM or closed terminal means to a run. */
export function interrupted(signalName: string): RunStopped {
  return new RunStopped(
    "interrupted",
    `stopped by ${signalName}`,
    "Run the same command again: it goes on where it stopped.",
  );
}

/** Where people are told that the first Ctrl-C or SIGTERM was heard. */
export interface StopNotice {
  /** Has it told by a command that draws on the screen itself. */
  by(say: (text: string) => void): void;
}

/** Tells of the first Ctrl-C or SIGTERM once, on stderr unless a command has a better place. */
export function watchStop(
  signal: AbortSignal,
  stderr: { write(text: string): unknown; readonly isTTY?: boolean },
): StopNotice {
  // A terminal has written ^C where the cursor stood.
  const ahead = stderr.isTTY === true ? "\n" : "";
  let tell = (text: string): void => void stderr.write(`${ahead}${text}\n`);
  signal.addEventListener("abort", () => tell(STOPPING), { once: true });
  return {
    by: (say) => {
      tell = say;
    },
  };
}
