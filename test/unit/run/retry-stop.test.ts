import { expect, it } from "vitest";

import { RunStopped } from "../../../src/errors.ts";
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

it("keeps why the retry stopped", () => {
  const { reason, message, cause } = retryStop(STOP, "/srv/runs/a", []);
  expect([reason, message, cause]).toEqual(["interrupted", "stopped by SIGINT", STOP]);
});
