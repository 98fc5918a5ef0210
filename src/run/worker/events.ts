/** What a worker tells while it goes on: each is one line of `--json`. */
export type WorkerEvent =
  /** Where health and metrics are served. */
  | { readonly event: "metrics"; readonly url: string }
  | { readonly event: "online"; readonly worker: string; readonly base_url: string }
  | { readonly event: "joined"; readonly run_id: string; readonly job: string }
  | { readonly event: "left"; readonly run_id: string }
  | { readonly event: "warning"; readonly message: string }
  /** Nothing is lost: the worker goes on when Redis is back. */
  | { readonly event: "redis_lost" }
  | { readonly event: "redis_back"; readonly seconds: number }
  | ({ readonly event: "progress" } & WorkerProgress)
  | ({ readonly event: "ended" } & WorkerResult);

/** Where a worker stands. */
export interface WorkerProgress extends WorkerResult {
  /** Ids of the runs that it serves now. */
  readonly runs: readonly string[];
  /** Calls. */
  readonly in_flight: number;
  /** Items: those in flight, and those that wait for their turn, for a limit or to be tried again. */
  readonly in_hand: number;
  readonly items_per_second: number;
  /** What it waits for just now, in words; null when it goes on. */
  readonly waiting: string | null;
}

/** What a worker has done: outcomes that it sent to their owners. */
export interface WorkerResult {
  readonly completed: number;
  readonly failed: number;
}
