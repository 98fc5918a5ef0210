import { UsageError } from "../errors.ts";
import type { Condition } from "../ledger/select.ts";

const FIELDS = new Set<unknown>(["code", "class", "status"] satisfies Condition["field"][]);

/**
 * What a caller gave as conditions, who may write plain JavaScript and has no compiler to tell.
 *
 * @throws UsageError for what is no list of conditions.
 */
export function checkConditions(conditions: unknown): void {
  if (!Array.isArray(conditions)) throw notThat(conditions, "list of conditions");
  for (const condition of conditions as unknown[]) {
    if (!isCondition(condition)) throw notThat(condition, "condition");
  }
}

function notThat(found: unknown, wanted: string): UsageError {
  return new UsageError(
    `retry: ${JSON.stringify(found) ?? String(found)} is no ${wanted}. ` +
      'Write [{ field: "code", value: "timeout" }], with code, class or status as the field and text as the value, ' +
      "or [] for every failed item.",
  );
}

function isCondition(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    "field" in value &&
    FIELDS.has(value.field) &&
    "value" in value &&
    typeof value.value === "string"
  );
}
