import { expect, it } from "vitest";

import { RunStopped } from "../../../src/errors.ts";
import { BudgetSpent } from "../../../src/run/budget/budget-spent.ts";
import { retryStop } from "../../../src/run/retry-stop.ts";

const STOP = new RunStopped("interrupted", "stopped by SIGINT", "Run the same command again.");

it("names the command that goes on with a retry, conditions included, and the one that does not", () => {
  const where = [
    { field: "code", value: "no money" },
    { field: "class", value: "retry" },
  ] as const;
  expect(retryStop(STOP, "/srv/my runs/a", where).remedy).toBe(
    "Run the same command again. That is `nightshift retry '/srv/my runs/a' --where 'code=no money' " +
      "--where class=retry`: `nightshift run` does not ask failed items again.",
  );
});

it("names the larger budget that a retry needs", () => {
  const spent = new BudgetSpent(["5 of 5 requests"], ["--budget-requests 10"]);
  const stop = retryStop(spent, "/srv/runs/a", [{ field: "code", value: "timeout" }]);
  expect([stop.message, stop.remedy]).toEqual([
    "the budget is spent: 5 of 5 requests",
    "Ask them again with a larger budget, for example `nightshift retry /srv/runs/a --where code=timeout " +
      "--budget-requests 10`: `nightshift run` does not ask failed items again.",
  ]);
});

it("keeps why the retry stopped", () => {
  const { reason, message, cause } = retryStop(STOP, "/srv/runs/a", []);
  expect([reason, message, cause]).toEqual(["interrupted", "stopped by SIGINT", STOP]);
});
