import { estimateTokens, type TokenUsage } from "../tokens.ts";
import { type AnswerSize, answerBound } from "./budget/worst-case.ts";

/** What an answer is taken to need before any has come, where `max_tokens` does not say. */
const ASSUMED_ANSWER_TOKENS = 500;
/** How much the newest answer counts in the average. */
const NEWEST_SHARE = 0.05;

/** Tokens to be set aside for a call: its prompt as estimated, and the answer it asks for. */
export class TokenReservation {
  #answerTokens = ASSUMED_ANSWER_TOKENS;

  /** @param body of the request, as JSON text. */
  of(body: string): number {
    const bound = answerBound(JSON.parse(body) as AnswerSize);
    return estimateTokens(body) + (bound ?? this.#answerTokens);
  }

  /** An answer came: where a request names no `max_tokens`, the average of the answers counts. */
  note(usage: TokenUsage | null): void {
    if (usage === null) return;
    this.#answerTokens += (usage.completion - this.#answerTokens) * NEWEST_SHARE;
  }
}
