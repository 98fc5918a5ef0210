import type { Item } from "../../item.ts";
import type { KnownAnswers } from "../../ledger/known-answers.ts";
import { reuseLine } from "../../ledger/reuse-line.ts";
import type { Completed, Outcome } from "../../outcome.ts";
import { MOST_KEPT } from "../scan-input.ts";
import { wantedItems } from "../wanted-items.ts";
import type { WorkParts } from "../work-parts.ts";
import { recordAll } from "./record-all.ts";
import type { RequestTable } from "./request-table.ts";

/**
 * Gives every wanted item the answer that an earlier run has got to its request.
 *
 * @returns the same work with the items that are left, where they are few enough to be kept.
 */
export async function carryOver(
  parts: WorkParts,
  answers: KnownAnswers,
  requests: RequestTable,
  signal: AbortSignal,
): Promise<WorkParts> {
  const { scene, wanted } = parts;
  let kept: Item[] | null = [];
  let keptSize = 0;
  const known = function* (items: readonly Item[]): Generator<Outcome> {
    for (const item of items) {
      const outcome = answerFor(item, answers, requests.hashOf(item.index));
      if (outcome !== null && !(isCut(outcome) && scene.order.job.onLength === "fail")) {
        yield outcome;
        continue;
      }
      keptSize += item.body.length;
      if (keptSize > MOST_KEPT) kept = null;
      kept?.push(item);
    }
  };
  const batches = async function* (): AsyncGenerator<Generator<Outcome>> {
    for await (const items of wantedItems(scene, wanted, signal)) yield known(items);
  };
  await recordAll(batches(), parts);
  return { ...parts, scene: { ...scene, scan: { ...scene.scan, kept } } };
}

function answerFor(item: Item, known: KnownAnswers, request: Buffer): Completed | null {
  const found = known.find(request);
  if (found === null) return null;
  const { runId, bytes } = found;
  const outcome = reuseLine(bytes, item, ({ nightshift: note }) => ({
    kind: "carried_over",
    // The run that paid, over however many nights it came.
    from: note.carried_over_from ?? runId,
  }));
  return outcome?.kind === "completed" ? outcome : null;
}

/** With another `on_length` it would have failed. */
function isCut({ summary }: Completed): boolean {
  return summary.finishReason === "length";
}
