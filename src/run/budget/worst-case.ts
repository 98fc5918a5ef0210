/** Tokens that a call may use at most. */
export interface WorstCase {
  readonly prompt: number;
  /** Null where the request sets no bound for its answer. */
  readonly completion: number | null;
}

/** More than any known model charges for one picture, whatever its size (gpt-4o-mini: 48 169). */
const MOST_PICTURE_TOKENS = 50_000;

/**
 * The most that a request may use. No tokenizer makes more than one token of a byte, and what a
 * gateway adds around a message is less than its JSON here: a byte is a token is a bound that no
 * text breaks, where a ratio learned from earlier items would be broken by the first in another
 * script. Some four times too much on average, but only until the answer names its usage: it costs
 * a few calls at once near the end of a budget, and none of the budget.
 *
 * @param body of the request, as JSON text.
 */
export function worstCase(body: string): WorstCase {
  const request = JSON.parse(body) as AnswerSize & { messages?: unknown };
  const { bytes, count } = picturesIn(request.messages);
  return {
    prompt: Buffer.byteLength(body) - bytes + count * MOST_PICTURE_TOKENS,
    completion: answerBound(request),
  };
}

/** What a request says of the size of its answer. */
export interface AnswerSize {
  readonly max_tokens?: unknown;
  readonly max_completion_tokens?: unknown;
  readonly n?: unknown;
}

/** Tokens that all answers to a request may have together; null where it sets no bound. */
export function answerBound(request: AnswerSize): number | null {
  const { max_tokens: most, max_completion_tokens: newer, n } = request;
  const bound = Math.max(positive(most) ?? 0, positive(newer) ?? 0);
  return bound === 0 ? null : bound * (positive(n) ?? 1);
}

/** The larger of both in each part. */
export function largerCase(a: WorstCase | null, b: WorstCase): WorstCase {
  if (a === null) return b;
  return {
    prompt: Math.max(a.prompt, b.prompt),
    completion:
      a.completion === null || b.completion === null ? null : Math.max(a.completion, b.completion),
  };
}

/** A picture's tokens follow from its size on the screen: the bytes of one sent along tell nothing. */
function picturesIn(messages: unknown): { bytes: number; count: number } {
  let bytes = 0;
  let count = 0;
  for (const message of Array.isArray(messages) ? (messages as unknown[]) : []) {
    const content = (message as { content?: unknown } | null)?.content;
    for (const part of Array.isArray(content) ? (content as unknown[]) : []) {
      const { type, image_url: image } = (part ?? {}) as { type?: unknown; image_url?: unknown };
      if (type !== "image_url") continue;
      const url = typeof image === "string" ? image : (image as { url?: unknown } | null)?.url;
      count += 1;
      if (typeof url === "string" && url.startsWith("data:")) bytes += Buffer.byteLength(url);
    }
  }
  return { bytes, count };
}

function positive(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.ceil(value) : null;
}
