import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { mispaired } from "../../e2e/support/reviews.ts";
import type { RunDirectory } from "../../e2e/support/run-directory.ts";
import { exactly, type Finding } from "./finding.ts";
import type { Site } from "./site.ts";

type LedgerEntry = ReturnType<Sandbox["ledger"]>[number];

/** Billed calls beyond the first of each row. */
export function paidTwice(calls: readonly LedgerEntry[]): number {
  const billed = calls.filter((call) => call.billed);
  return billed.length - new Set(billed.map(({ row }) => row)).size;
}

/** Reads the ledger itself, and asks `verify`: each of `items` has exactly one outcome, its own. */
export async function checkOutcomes(
  site: Site,
  run: RunDirectory,
  items: number,
  note?: (index: number) => string,
): Promise<Finding[]> {
  const [results, ended] = [await run.results(), await run.ended()];
  const distinct = new Set(ended);
  const { code } = await site.nightshift(["verify", run.path]);
  return [
    exactly("items lost", items - distinct.size, 0),
    exactly("items with two outcomes", ended.length - distinct.size, 0),
    exactly("answers with another item", mispaired(results, note).length, 0),
    exactly("exit of `verify`", code ?? -1, 0),
  ];
}

/** Tokens that a run says it used, beside those of one answered call of each item. */
export async function checkTokens(
  run: RunDirectory,
  answered: readonly LedgerEntry[],
): Promise<Finding> {
  const byRow = new Map(answered.map((call) => [call.row, call]));
  const sum = [...byRow.values()].reduce(
    (tokens, call) => tokens + call.promptTokens + call.completionTokens,
    0,
  );
  return exactly("tokens in usage.json", (await run.usage()).usage.total_tokens, sum);
}
