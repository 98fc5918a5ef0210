import type { UsageReport } from "../ledger/usage.ts";
import type { BudgetReport } from "./budget/report.ts";

/** How far a retry is with the items that it asks again. */
export interface RetryProgress {
  readonly total: number;
  readonly completed: number;
  /** Failed again. */
  readonly failed: number;
}

/** Where a run stands. Rates are taken over the last seconds, not the whole run. */
export interface Progress {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** Null unless this is a retry: the counts above are the run's, where every item may have ended. */
  readonly retrying: RetryProgress | null;
  /** Completed ones that share the answer of another item. */
  readonly shared: number;
  /** Completed ones that have the answer of an earlier run. */
  readonly carried_over: number;
  readonly in_flight: number;
  /** Calls so far that brought no answer and were or will be made again. */
  readonly retries: number;
  /** Tokens of the completed items. */
  readonly tokens: number;
  readonly items_per_second: number;
  readonly tokens_per_second: number;
  /** Null while there is no rate to tell by. */
  readonly eta_seconds: number | null;
  readonly elapsed_seconds: number;
  /** US dollars so far; null where a price is unknown. */
  readonly cost_usd: number | null;
  /** What the run waits for just now, in words; null when it goes on. */
  readonly waiting: string | null;
  /** Which limit keeps it from going faster just now, and at what rate it goes; null when none does. */
  readonly limited_by: string | null;
}

/** What a retry found that no failed item matched. */
export interface Unmatched {
  /** The conditions, as `--where` takes them. */
  readonly where: readonly string[];
  /** Failed items by code. */
  readonly failed: Readonly<Record<string, number>>;
}

/** How a run ended for now. */
export interface RunResult {
  readonly run_id: string;
  readonly directory: string;
  readonly state: "finished" | "paused" | "cancelled";
  /** Null when finished. */
  readonly reason: {
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
  } | null;
  /** True when there was nothing left to do: nothing was called. */
  readonly already_finished: boolean;
  /** Null unless this was a retry, and no failed item met its conditions. */
  readonly unmatched: Unmatched | null;
  /** Records in the whole input; the run may be about the first of them alone. */
  readonly records: number | null;
  readonly usage: UsageReport;
  /** Null where nothing limits what the run may spend. */
  readonly budget: BudgetReport | null;
  /** Absolute paths of what was written. */
  readonly files: {
    readonly output: string | null;
    readonly results: string;
    readonly errors: string;
    readonly usage: string | null;
  };
  /** Where each model's price comes from; null where it is unknown. */
  readonly price_sources: Readonly<Record<string, string | null>>;
  /** What this run found out about the account's limits, per minute and in calls at once. */
  readonly limits_found: {
    readonly rpm: number | null;
    readonly tpm: number | null;
    readonly concurrency: number | null;
  };
}

/** What a run tells while it goes on: each is one line of `--json`. */
export type RunEvent =
  | {
      readonly event: "started";
      readonly run_id: string;
      readonly directory: string;
      readonly items: number;
      /** Items that earlier sittings have ended. */
      readonly completed: number;
      readonly failed: number;
      readonly continued: boolean;
    }
  | ({ readonly event: "progress" } & Progress)
  | {
      readonly event: "item_failed";
      readonly index: number;
      readonly custom_id: string;
      readonly code: string;
      readonly message: string;
    }
  | { readonly event: "warning"; readonly message: string }
  /** Where health and metrics are served. */
  | { readonly event: "metrics"; readonly url: string }
  /** Nothing is lost: the run tries again until Redis is back. */
  | { readonly event: "redis_lost" }
  | { readonly event: "redis_back"; readonly seconds: number }
  /** Somebody steered the run: its owner holds it, or goes on. */
  | { readonly event: "paused" | "resumed"; readonly run_id: string }
  | ({ readonly event: "ended" } & RunResult);

export type OnRunEvent = (event: RunEvent) => void;
