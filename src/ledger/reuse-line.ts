import { summarizeAnswer } from "../answer-summary.ts";
import type { GatewayAnswer, Outcome, Reused } from "../outcome.ts";
import { type LedgerLine, tryParseLine } from "./line.ts";

/** The item that gets what a line holds. */
export interface Receiver {
  readonly index: number;
  readonly customId: string;
}

/**
 * The outcome of an item that gets another one's: the same answer or failure, which took nothing.
 *
 * @param bytes a whole line of results.jsonl or errors.jsonl.
 * @param reused says whose it is.
 * @returns null where the line is damaged.
 */
export function reuseLine(
  bytes: Buffer,
  { index, customId }: Receiver,
  reused: (line: LedgerLine) => Reused,
): Outcome | null {
  const text = bytes.toString("utf8");
  const line = tryParseLine(text);
  if (line === null) return null;
  const { code, class: kind = "item", message = "" } = line.nightshift;
  const response = responseIn(line, text);
  const ended = {
    index,
    customId,
    attempts: 0,
    ms: 0,
    possiblyBilled: 0,
    retries: {},
    reused: reused(line),
  };
  if (code !== undefined) {
    return { kind: "failed", class: kind, ...ended, response, error: { code, message } };
  }
  if (response === null) return null;
  const summary = summarizeAnswer(line.response?.body);
  return { kind: "completed", ...ended, summary, response };
}

/**
 * The body as it was written: parsed and written again, a number may be spelled otherwise. Between
 * quotes no quote stands bare, so these marks are found only where the line itself has them.
 */
function responseIn({ response }: LedgerLine, text: string): GatewayAnswer | null {
  if (response === null) return null;
  const start = text.indexOf(BODY, text.indexOf(RESPONSE)) + BODY.length;
  const end = text.lastIndexOf(ERROR) - 1;
  return {
    status: response.status_code,
    requestId: response.request_id,
    body: text.slice(start, end),
  };
}

const RESPONSE = ',"response":{';
const BODY = ',"body":';
const ERROR = ',"error":null,"nightshift":{';
