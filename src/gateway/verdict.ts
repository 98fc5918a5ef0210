import type { AnswerSummary } from "../answer-summary.ts";
import type { GatewayAnswer } from "../outcome.ts";

/** Why a call brought no usable answer. */
export interface Failure {
  /** A short stable name: what `errors.jsonl`, `status` and `retry --where code=` group by. */
  readonly code: string;
  /** For people: what the gateway or the network said. Never holds a key. */
  readonly message: string;
  /** Null where the gateway never answered. */
  readonly response: GatewayAnswer | null;
}

/** What a failure says about the account or the set-up rather than about the item. */
export type Trouble = "key" | "balance" | "quota" | "model" | "permission" | "base-url" | "blocked";

/** Which limit a throttling answer speaks of, where it tells. */
export type Limit = "requests" | "tokens" | "concurrency" | "overload" | "unknown";

/** What an answer means for its item and for the run. */
export type Verdict =
  | {
      readonly class: "completed";
      readonly summary: AnswerSummary;
      readonly response: GatewayAnswer;
    }
  | {
      readonly class: "retry";
      readonly failure: Failure;
      /** The gateway may have charged for it although no usable answer came. */
      readonly possiblyBilled: boolean;
      /** A network error or a 5xx: what an outage is made of. */
      readonly outage: boolean;
    }
  | {
      readonly class: "throttled";
      readonly failure: Failure;
      /** Milliseconds to wait as told by the gateway; null where it did not tell. */
      readonly waitMs: number | null;
      readonly limit: Limit;
      /** The rate the gateway named in its message, in requests per minute. */
      readonly requestsPerMinute: number | null;
      /** The same in tokens per minute. */
      readonly tokensPerMinute: number | null;
    }
  | { readonly class: "fail-item"; readonly failure: Failure }
  | { readonly class: "pause-run"; readonly failure: Failure; readonly trouble: Trouble };
