import { readUsage, type TokenUsage } from "./tokens.ts";

/** What accounting takes from a chat.completion. */
export interface AnswerSummary {
  readonly model: string;
  /** Of the first choice. */
  readonly finishReason: string | null;
  /** Null where the gateway named none. */
  readonly usage: TokenUsage | null;
}

/** @param body a parsed chat.completion, or whatever came in its place. */
export function summarizeAnswer(body: unknown): AnswerSummary {
  const answer = body as { model?: unknown; usage?: unknown; choices?: unknown } | null | undefined;
  const choice = Array.isArray(answer?.choices) ? (answer.choices[0] as unknown) : null;
  const reason = (choice as { finish_reason?: unknown } | null | undefined)?.finish_reason;
  return {
    model: typeof answer?.model === "string" ? answer.model : "unknown",
    finishReason: typeof reason === "string" ? reason : null,
    usage: readUsage(answer?.usage),
  };
}
