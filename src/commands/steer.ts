import { type Steered, type Steering, steerRun } from "../run/steer.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** What `pause`, `resume` and `cancel` take. */
export interface SteerFlags {
  readonly redis?: string;
  readonly json?: boolean;
}

/** Pauses, resumes or cancels a run from wherever one is. */
export async function steerCommand(
  steering: Steering,
  runId: string,
  flags: SteerFlags,
  io: Io,
): Promise<ExitCode> {
  const steered = await steerRun(steering, runId, {
    environment: io.environment,
    redis: flags.redis ?? null,
    signal: io.signal,
  });
  if (flags.json === true) io.stdout.write(`${JSON.stringify({ event: steering, ...steered })}\n`);
  else io.stdout.write(`${sayWhatCame(steering, steered)}\n`);
  return EXIT.ok;
}

function sayWhatCame(steering: Steering, { run_id: runId, has_owner: hasOwner, changed }: Steered) {
  const already = changed ? "" : " already";
  switch (steering) {
    case "pause":
      return (
        `${runId} is paused${already}: what is in flight is finished, and nothing more is called. ` +
        (hasOwner
          ? `\`nightshift resume ${runId}\` lets it go on.`
          : "It has no owner just now: started again, it waits until it is resumed.")
      );
    case "resume":
      return (
        `${runId} goes on${already}.` +
        (hasOwner ? "" : " It has no owner just now: `nightshift run` records what workers answer.")
      );
    case "cancel":
      return (
        `${runId} is cancelled${already}: what is in flight is finished. ` +
        (hasOwner
          ? "`nightshift run` with the same job goes on with the items that are left."
          : "It has no owner just now: what waited in Redis is dropped, answers are kept for it.")
      );
  }
}
