import type { Verdict } from "../../gateway/verdict.ts";
import { readUsage, type TokenUsage } from "../../tokens.ts";

/** What a call cost, as far as its answer tells. */
export type Charge =
  /** So much, and results.jsonl will tell. */
  | { readonly kind: "recorded"; readonly usage: TokenUsage }
  /** results.jsonl will tell of the call, but not what it used: perhaps all that it could. */
  | { readonly kind: "unmeasured" }
  /** So much, and no other file tells; null: it may have cost all that it could. */
  | { readonly kind: "unrecorded"; readonly usage: TokenUsage | null }
  | { readonly kind: "free" }
  /** Free, and it does not count as a request either. */
  | { readonly kind: "throttled" };

/** The edge in front of the gateway gave up waiting: behind it the call goes on, and is charged. */
const EDGE_TIMEOUTS: ReadonlySet<number> = new Set([504, 524]);

/** @param verdict null when the call was broken off. */
export function chargeOf(verdict: Verdict | null): Charge {
  if (verdict === null) return { kind: "unrecorded", usage: null };
  switch (verdict.class) {
    case "completed": {
      const { usage } = verdict.summary;
      return usage === null ? { kind: "unmeasured" } : { kind: "recorded", usage };
    }
    case "throttled":
      return { kind: "throttled" };
    case "pause-run":
      return { kind: "free" };
    case "fail-item":
    case "retry": {
      const { response } = verdict.failure;
      const status = response?.status ?? 0;
      const mayCost =
        (verdict.class === "retry" && verdict.possiblyBilled) ||
        // A filtered or cut answer is an answer, and charged like one.
        (status >= 200 && status < 300) ||
        EDGE_TIMEOUTS.has(status);
      return mayCost ? { kind: "unrecorded", usage: usageIn(response?.body) } : { kind: "free" };
    }
  }
}

/** @param body JSON text. */
function usageIn(body: string | undefined): TokenUsage | null {
  const parsed: unknown = JSON.parse(body ?? "null");
  return readUsage((parsed as { usage?: unknown } | null)?.usage);
}
