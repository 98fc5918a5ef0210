import type { Ending } from "../outcome.ts";
import type { WorkParts } from "./work-parts.ts";

/**
 * An item's outcome is recorded: it is wanted no longer, it is counted, and a failure is told.
 *
 * @param model that the item asks. Default: the one that answered, or the job's.
 */
export function tellOutcome(
  { wanted, scene, manifest }: WorkParts,
  outcome: Ending,
  model = outcome.kind === "completed" ? outcome.summary.model : scene.order.job.model,
): void {
  wanted.done(outcome.index);
  scene.metrics?.meterOf(manifest.run_id)?.ended(model ?? "unknown", outcome);
  if (outcome.kind === "completed") return;
  const { index, customId, error } = outcome;
  scene.order.onEvent({ event: "item_failed", index, custom_id: customId, ...error });
}
