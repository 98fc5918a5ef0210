import type { Outcome } from "../outcome.ts";
import type { WorkParts } from "./work-parts.ts";

/** An item's outcome is recorded: it is wanted no longer, and a failure is told. */
export function tellOutcome({ wanted, scene }: WorkParts, outcome: Outcome): void {
  wanted.done(outcome.index);
  if (outcome.kind === "completed") return;
  const { index, customId, error } = outcome;
  scene.order.onEvent({ event: "item_failed", index, custom_id: customId, ...error });
}
