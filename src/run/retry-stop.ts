import { RunStopped } from "../errors.ts";
import { type Condition, conditionText } from "../ledger/select.ts";
import { shellWord } from "../shell-word.ts";
import { BudgetSpent } from "./budget/budget-spent.ts";

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
  const isSpent = stop instanceof BudgetSpent;
  const remedy = isSpent
    ? "Ask them again with a larger budget, for example"
    : `${stop.remedy} That is`;
  const command = [...words, ...(isSpent ? stop.flags : [])].join(" ");
  return new RunStopped(
    stop.reason,
    stop.message,
    `${remedy} \`${command}\`: \`nightshift run\` does not ask failed items again.`,
    stop,
  );
}
