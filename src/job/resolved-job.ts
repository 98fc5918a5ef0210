import type { Notice } from "./notify-schema.ts";
import type { Delimiter, Json, MessageTemplate, Pricing } from "./schema.ts";

/** What may be spent; null where there is no limit. */
export interface BudgetLimits {
  /** US dollars. */
  readonly usd: number | null;
  readonly tokens: number | null;
  readonly requests: number | null;
}

/** A job with every question answered: nothing after this asks for a default. */
export interface ResolvedJob {
  readonly name: string;
  /** Where the job was written: a job file, or `the command line`. For error messages. */
  readonly where: string;
  /** Absolute path, in which `{{ date }}`, `{{ time }}` and `*` may stand until it is bound; `-` for standard input. */
  readonly input: string;
  /** The files that it stands for, in order: one, unless it is a pattern. */
  readonly inputs: readonly string[];
  readonly model: string | null;
  readonly messages: readonly MessageTemplate[] | null;
  readonly params: Readonly<Record<string, Json>>;
  /** Template of the custom_id. */
  readonly id: string | null;
  readonly concurrency: number;
  readonly rpm: number | null;
  readonly tpm: number | null;
  /** What the run may spend in all its sittings. */
  readonly budget: BudgetLimits;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly maxOutageMs: number;
  readonly stream: boolean;
  readonly onLength: "keep" | "fail";
  /** Items that ask the same share one answer. */
  readonly dedupe: boolean;
  /** What earlier runs of the job have answered is not asked again. */
  readonly incremental: boolean;
  /** Template of the run directory, absolute; null lets the run choose. */
  readonly out: string | null;
  readonly encoding: string | null;
  readonly delimiter: Delimiter | null;
  readonly csvBom: boolean;
  readonly csvSafe: boolean;
  /** Only the first n records. */
  readonly first: number | null;
  readonly pricing: Pricing | null;
  /** The schedule's time zone, for dates in `out`; null for this machine's. */
  readonly timeZone: string | null;
  /** What to tell whom; null tells nobody. A null address is the environment's. */
  readonly notify: {
    readonly webhook: string | null;
    readonly on: readonly Notice[];
  } | null;
}
