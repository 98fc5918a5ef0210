import { RunStopped } from "../errors.ts";
import { type Condition, conditionText } from "../ledger/select.ts";
import { shellWord } from "../shell-word.ts";

/**
 * Why a retry stopped. Its remedy names the command: whoever reads it later in `status` would take
 * `nightshift run` for the same one.
 */
export function retryStop(
  stop: RunStopped,
  directory: string,
  where: readonly Condition[],
): RunStopped {
  const words = ["nightshift", "retry", shellWord(directory)];
  for (const condition of where) words.push("--where", shellWord(conditionText(condition)));
  return new RunStopped(
    stop.reason,
    stop.message,
    `${stop.remedy} That is \`${words.join(" ")}\`: \`nightshift run\` does not ask failed items again.`,
    stop,
  );
}
