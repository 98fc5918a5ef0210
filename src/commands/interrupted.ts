import { RunStopped } from "../errors.ts";

/** What the first Ctrl-C or SIGTERM means to a run. */
export function interrupted(signalName: string): RunStopped {
  return new RunStopped(
    "interrupted",
    `stopped by ${signalName}`,
    "Run the same command again: it goes on where it stopped.",
  );
}
