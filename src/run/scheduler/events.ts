import type { EndedAs, SkippedEntry } from "../../schedule/record.ts";

/** What a scheduler tells: each is one line of `--json`. Times are ISO 8601 in UTC. */
export type SchedulerEvent =
  | {
      /** A job is followed from now on, or again after its file has changed. */
      readonly event: "scheduled";
      readonly job: string;
      readonly file: string;
      readonly cron: string;
      readonly time_zone: string | null;
    }
  | { readonly event: "unscheduled"; readonly file: string; readonly message: string }
  | {
      /** The file cannot be used as it is now; `keeps` tells whether its last good form goes on. */
      readonly event: "job_broken";
      readonly file: string;
      readonly keeps: boolean;
      readonly message: string;
    }
  | ({ readonly event: "fired"; readonly directory: string; readonly continued: boolean } & OfTick)
  | ({ readonly event: "run_ended" } & OfTick & RunEnd)
  | ({ readonly event: "waiting" } & OfTick)
  | ({ readonly event: "elsewhere"; readonly by: string } & OfTick)
  | ({ readonly event: "skipped"; readonly job: string } & Pick<
      SkippedEntry,
      "from" | "to" | "count" | "reason" | "detail"
    >)
  | {
      /** A run of an earlier firing stopped half-way, and stays so. */
      readonly event: "left";
      readonly job: string;
      readonly directory: string;
      readonly message: string;
    }
  | { readonly event: "trouble"; readonly job: string | null; readonly message: string }
  | { readonly event: "stopping"; readonly runs: number };

interface OfTick {
  readonly job: string;
  readonly tick: string;
}

interface RunEnd {
  readonly directory: string;
  readonly as: EndedAs;
  /** What to do about a run that stopped. */
  readonly message: string | null;
  readonly completed: number;
  readonly failed: number;
  readonly cost_usd: number | null;
  readonly seconds: number;
}

export type OnSchedulerEvent = (event: SchedulerEvent) => void;

export type SkippedEvent = Extract<SchedulerEvent, { event: "skipped" }>;
