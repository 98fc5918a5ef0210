import type { AnswerSummary } from "./answer-summary.ts";

/** What the gateway said last about an item. */
export interface GatewayAnswer {
  readonly status: number;
  /** The gateway's own name for the call (`x-oneapi-request-id`, `x-request-id`, `cf-ray`), for its support desk. */
  readonly requestId: string | null;
  /** JSON text. A body that was no JSON is wrapped as a JSON string. Never holds a raw line break. */
  readonly body: string;
}

/** What an answer said of itself that was paid for and that its item does not have. */
export interface FailedAnswer {
  readonly model: string;
  /** As the gateway wrote it. */
  readonly usage: unknown;
}

/** Whose answer an item got that was not asked for itself. */
export type Reused =
  /** That of an item of this run, which was asked. */
  | { readonly kind: "shared"; readonly with: number }
  /** That of an earlier run, named by its id. */
  | { readonly kind: "carried_over"; readonly from: string };

interface Ended {
  readonly index: number;
  readonly customId: string;
  /** HTTP calls, those that were throttled apart. */
  readonly attempts: number;
  /** Milliseconds from sending to the last byte of the last call. */
  readonly ms: number;
  /** Calls without a usable answer that the gateway may have charged for. */
  readonly possiblyBilled: number;
  /** Calls that brought no answer, by cause (`rate_limited`, `timeout`, `http_500` …). */
  readonly retries: Readonly<Record<string, number>>;
  /** Absent where the item was asked for itself. */
  readonly reused?: Reused;
  /** Of failures that this outcome supersedes. */
  readonly failedAnswers?: readonly FailedAnswer[];
}

export interface Completed extends Ended {
  readonly kind: "completed";
  readonly summary: AnswerSummary;
  readonly response: GatewayAnswer;
}

export interface Failed extends Ended {
  readonly kind: "failed";
  /** `item`: the item itself is at fault; `retry`: its attempts ran out; `throttled`: never let through. */
  readonly class: "item" | "retry" | "throttled";
  /** Null where the gateway never answered. */
  readonly response: GatewayAnswer | null;
  readonly error: { readonly code: string; readonly message: string };
}

/** How an item ended. */
export type Outcome = Completed | Failed;

/** How an item ended, without what the gateway said. */
export type Ending = Omit<Completed, "response"> | Omit<Failed, "response">;
