import type { UsageReport } from "../ledger/usage.ts";

/** Where a run stands. Rates are taken over the last seconds, not the whole run. */
export interface Progress {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
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
  /** What the run waits for just now, in words; null when nothing holds it back. */
  readonly waiting: string | null;
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
  readonly usage: UsageReport;
  /** Absolute paths of what was written. */
  readonly files: {
    readonly output: string | null;
    readonly results: string;
    readonly errors: string;
    readonly usage: string;
  };
  /** Where each model's price comes from; null where it is unknown. */
  readonly price_sources: Readonly<Record<string, string | null>>;
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
  | ({ readonly event: "ended" } & RunResult);

export type OnRunEvent = (event: RunEvent) => void;
