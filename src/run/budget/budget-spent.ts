import { RunStopped } from "../../errors.ts";

/** No item in hand fits into what is left of the budget. */
export class BudgetSpent extends RunStopped {
  /** What lets the next item go, as flags of the command. */
  readonly flags: readonly string[];

  /** @param spent what is spent, limit by limit. */
  constructor(spent: readonly string[], flags: readonly string[]) {
    super(
      "budget",
      `the budget is spent: ${spent.join(", ")}`,
      "Run the same command again with a larger budget, for example " +
        `\`nightshift run … ${flags.join(" ")}\`: it goes on where it stopped.`,
    );
    this.flags = flags;
  }
}
