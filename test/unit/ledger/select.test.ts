import { describe, expect, test } from "vitest";

import {
  type Condition,
  type Failures,
  failedAmong,
  hasFailedWith,
} from "../../../src/ledger/select.ts";
import { aCompleted, aFailed, openLedger, RUN_ID, runDirectory } from "./run-directory.ts";

const TIMEOUT = { class: "retry", error: { code: "timeout", message: "" } } as const;
const REFUSED = { response: { status: 400, requestId: null, body: "{}" } };

/** What is chosen of four failed items: 1 refused with 400, 2 and 3 timed out, 4 by an old error only. */
async function chosenBy(...where: Condition[]): Promise<{
  readonly indexes: readonly number[];
  readonly failures: Failures;
}> {
  await using directory = await runDirectory();
  const ledger = await openLedger(directory);
  await ledger.record(aCompleted(0));
  await ledger.record(aFailed(1, REFUSED));
  for (const index of [2, 3, 4]) await ledger.record(aFailed(index, TIMEOUT));
  await ledger.record(aFailed(4));
  await ledger.record(aFailed(5));
  await ledger.record(aCompleted(5));
  const failures = await failedAmong(directory.path, RUN_ID, ledger.items, where);
  await ledger.close();
  return { indexes: [0, 1, 2, 3, 4, 5].filter((index) => failures.has(index)), failures };
}

describe("of the failed items", () => {
  test.each<[string, Condition[], number[]]>([
    ["all are chosen without a condition", [], [1, 2, 3, 4]],
    ["those with a code are, by their last error", [{ field: "code", value: "timeout" }], [2, 3]],
    ["those of a class are", [{ field: "class", value: "item" }], [1, 4]],
    ["those with a status are", [{ field: "status", value: "400" }], [1]],
    [
      "only those are that meet every condition",
      [
        { field: "code", value: "content_filter" },
        { field: "status", value: "400" },
      ],
      [1],
    ],
    ["none is where none matches", [{ field: "code", value: "tiemout" }], []],
  ])("%s", async (_name, where, indexes) => {
    expect((await chosenBy(...where)).indexes).toEqual(indexes);
  });

  test("the codes are counted, of those that were not chosen too", async () => {
    const { failures } = await chosenBy({ field: "code", value: "tiemout" });
    expect(Object.fromEntries(failures.byCode)).toEqual({ content_filter: 2, timeout: 2 });
  });

  test("it is found whether any has failed with a code", async () => {
    await using directory = await runDirectory();
    const has = (code: string): Promise<boolean> => hasFailedWith(code, directory.path, RUN_ID);
    expect(await has("timeout")).toBe(false);
    const ledger = await openLedger(directory);
    await ledger.record(aFailed(1, TIMEOUT));
    await ledger.record(aFailed(2, REFUSED));
    await ledger.close();
    expect([await has("timeout"), await has("truncated")]).toEqual([true, false]);
  });

  test("a chosen one is done when it has its outcome", async () => {
    const { failures } = await chosenBy();
    failures.done(2);
    expect([failures.size, failures.has(2)]).toEqual([3, false]);
  });
});
