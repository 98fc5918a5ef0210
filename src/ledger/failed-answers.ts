import type { FailedAnswer, Outcome } from "../outcome.ts";
import { readUsage } from "../tokens.ts";
import { type LedgerLine, reusedOfNote } from "./line.ts";

/**
 * The answers that an outcome's item does not have although they are charged like any other: that of
 * its failure, where a filter withheld it or a cut answer counts as none, and those of failures before.
 */
export function failedAnswersOf(outcome: Outcome): readonly FailedAnswer[] {
  const { failedAnswers: before = [], reused, response } = outcome;
  if (outcome.kind !== "failed" || reused !== undefined || response === null) return before;
  const own: unknown = isCharged(outcome.class, response.status) ? JSON.parse(response.body) : null;
  return [...before, ...answerIn(own)];
}

/** The same of an outcome's line. */
export function failedAnswersOfLine({ response, nightshift: note }: LedgerLine): FailedAnswer[] {
  const before = note.failed_answers ?? [];
  if (note.code === undefined || reusedOfNote(note) !== null || response === null)
    return [...before];
  const own = isCharged(note.class ?? "item", response.status_code) ? response.body : null;
  return [...before, ...answerIn(own)];
}

/** A call that brought no answer at all is possibly billed, and counted as that. */
function isCharged(kind: string, status: number): boolean {
  return kind === "item" && status >= 200 && status < 300;
}

function answerIn(body: unknown): FailedAnswer[] {
  const { model, usage } = (body ?? {}) as { model?: unknown; usage?: unknown };
  if (readUsage(usage) === null) return [];
  return [{ model: typeof model === "string" ? model : "unknown", usage }];
}
