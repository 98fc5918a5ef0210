import type { Failed, FailedAnswer, Outcome, Reused } from "../outcome.ts";

/**
 * What Nightshift adds to an OpenAI Batch output line. It counts every call for the item, those
 * before a retry too; `ms` is the last one's.
 */
export interface LineNote {
  readonly attempts: number;
  readonly ms: number;
  readonly possibly_billed: number;
  /** Calls that brought no answer, by cause; absent where the first call did. */
  readonly retries?: Readonly<Record<string, number>>;
  /** What was asked, as a hash in hex; absent where nobody compares requests. */
  readonly request?: string;
  /** The item whose answer this is: nothing was called for this one, and nothing paid. */
  readonly shared_with?: number;
  /** The run that asked and paid: nothing was called for this item. */
  readonly carried_over_from?: string;
  /** Answers of failures that a retry has superseded: paid for, and told by no other line. */
  readonly failed_answers?: readonly FailedAnswer[];
  /** Only in errors.jsonl: what `status` groups by. */
  readonly code?: string;
  readonly class?: Failed["class"];
  readonly message?: string;
}

/** One line of `results.jsonl` or `errors.jsonl`: an OpenAI Batch output line and a note of ours. */
export interface LedgerLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string | null;
    readonly body: unknown;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly nightshift: LineNote;
}

/**
 * The text of an outcome's line, without its line break. The gateway's body goes in untouched.
 *
 * @param request hash of what was asked, in hex; null where nobody compares requests.
 */
export function formatLine(runId: string, outcome: Outcome, request: string | null = null): string {
  const { index, customId, response } = outcome;
  const answer =
    response === null
      ? "null"
      : `{"status_code":${response.status},"request_id":${JSON.stringify(response.requestId)},` +
        `"body":${response.body}}`;
  const error =
    outcome.kind === "failed" && response === null
      ? JSON.stringify({ code: outcome.error.code, message: outcome.error.message })
      : "null";
  return (
    // Unlike other spellings of a number this one leaves its text in none of V8's caches.
    `{"id":"${linePrefix(runId)}${index.toFixed(0)}","custom_id":${JSON.stringify(customId)},` +
    `"response":${answer},"error":${error},"nightshift":${JSON.stringify(note(outcome, request))}}`
  );
}

/** How the line's item came by what it has; null where it was asked for itself. */
export function reusedOfNote(note: LineNote): Reused["kind"] | null {
  if (note.carried_over_from !== undefined) return "carried_over";
  return note.shared_with === undefined ? null : "shared";
}

/** What a line says was asked, read without parsing it; null where it does not say. */
export function requestInLine(bytes: Buffer): string | null {
  // An answer may hold the same words; the note stands behind it.
  const at = bytes.indexOf(REQUEST, bytes.lastIndexOf(NOTE));
  if (at === -1) return null;
  const start = at + REQUEST.length;
  const request = bytes.toString("latin1", start, bytes.indexOf(QUOTE, start));
  return /^[0-9a-f]{32}$/.test(request) ? request : null;
}

const NOTE = Buffer.from(',"nightshift":{');
const REQUEST = Buffer.from('"request":"');
const QUOTE = 0x22;

/** A line's content. Only for lines that are known to be whole. */
export function parseLine(line: Buffer | string): LedgerLine {
  return JSON.parse(line.toString()) as LedgerLine;
}

/** A line's content; null where it is damaged. */
export function tryParseLine(line: Buffer | string): LedgerLine | null {
  try {
    return parseLine(line);
  } catch {
    return null;
  }
}

/** Everything before the index in the `id` of a run's lines. */
export function linePrefix(runId: string): string {
  return `batch_req_${runId}_`;
}

/**
 * The item's index, read from the head of a line without parsing it; null when the line is not
 * one of this run's. A thousand million items are the most that a run may have.
 */
export function lineIndex(head: string, prefix: string): number | null {
  const start = `{"id":"${prefix}`;
  if (!head.startsWith(start)) return null;
  const end = head.indexOf('"', start.length);
  const digits = head.slice(start.length, end);
  return /^\d{1,9}$/.test(digits) ? Number(digits) : null;
}

function note(outcome: Outcome, request: string | null): LineNote {
  return {
    attempts: outcome.attempts,
    ms: Math.round(outcome.ms),
    possibly_billed: outcome.possiblyBilled,
    ...(Object.keys(outcome.retries).length > 0 && { retries: outcome.retries }),
    ...(request !== null && { request }),
    ...(outcome.reused !== undefined && reusedNote(outcome.reused)),
    ...((outcome.failedAnswers ?? []).length > 0 && { failed_answers: outcome.failedAnswers }),
    ...(outcome.kind === "failed" && {
      code: outcome.error.code,
      class: outcome.class,
      message: outcome.error.message,
    }),
  };
}

function reusedNote(reused: Reused): Pick<LineNote, "shared_with" | "carried_over_from"> {
  return reused.kind === "shared"
    ? { shared_with: reused.with }
    : { carried_over_from: reused.from };
}
