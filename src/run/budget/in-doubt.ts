import type { CallTokens, Sum } from "../../ledger/unrecorded.ts";

/** What a call may have cost at most of which nothing is known but that it was made. */
export interface AnyCall {
  /** The dearest that the run asks. */
  readonly model: string;
  /** Of the largest item. */
  readonly tokens: CallTokens;
}

/**
 * What calls may have cost of which only the number is known, by model.
 *
 * @param calls those that may have been charged and whose answer, if any, says no usage.
 * @param unanswered those of them whose own price, where a call has one, results.jsonl does not tell.
 */
export function inDoubt(
  calls: number,
  unanswered: number,
  { model, tokens: [prompt, completion] }: AnyCall,
): Readonly<Record<string, Sum>> {
  return calls === 0 ? {} : { [model]: [calls * prompt, calls * completion, unanswered] };
}
