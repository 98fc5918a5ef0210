import type { KnownRun, RunTerms } from "../../queue/run-info.ts";
import { matchesPattern } from "./pattern.ts";

/** What a worker goes by when it chooses its runs. */
export interface Taste {
  /** The address that its key is for. */
  readonly baseUrl: string;
  /** Which runs it was asked to serve. */
  readonly pattern: string;
}

/** What a worker does about a run. */
export type Choice =
  | { readonly kind: "serve"; readonly terms: RunTerms }
  /** There is nothing to do now. */
  | { readonly kind: "rest" }
  /** It is not for this worker; `why` is told once. */
  | { readonly kind: "refuse"; readonly why: string };

/** Whether a worker takes items of a run. */
export function chooseRun({ runId, terms, state }: KnownRun, taste: Taste): Choice {
  if (state !== "running" || !matchesPattern(taste.pattern, runId)) return { kind: "rest" };
  if (terms === null) {
    return {
      kind: "refuse",
      why: `run ${runId} is of another version of Nightshift: install the same on both machines`,
    };
  }
  // A run must not be able to send a key to an address of its own.
  if (terms.base_url !== taste.baseUrl) {
    return {
      kind: "refuse",
      why:
        `run ${runId} asks ${terms.base_url}, but this worker's key is for ${taste.baseUrl}: ` +
        "it takes no items of it",
    };
  }
  if (terms.budget) {
    return {
      kind: "refuse",
      why: `run ${runId} has a budget, which only its owner can keep: this worker takes no items of it`,
    };
  }
  return { kind: "serve", terms };
}

/** What is said of runs that would be served, were they not paused. */
export function pausedAmong(runs: readonly KnownRun[], taste: Taste): string[] {
  return runs
    .filter((run) => run.state === "paused")
    .filter((run) => chooseRun({ ...run, state: "running" }, taste).kind === "serve")
    .map(({ runId }) => `run ${runId} is paused: \`nightshift resume ${runId}\` lets it go on`);
}

/** The limits that all of these runs keep to: the account is the same. */
export function strictest(terms: Iterable<Pick<RunTerms, "rpm" | "tpm">>): {
  readonly rpm: number | null;
  readonly tpm: number | null;
} {
  let [rpm, tpm] = [Infinity, Infinity];
  for (const run of terms) {
    rpm = Math.min(rpm, run.rpm ?? Infinity);
    tpm = Math.min(tpm, run.tpm ?? Infinity);
  }
  return { rpm: Number.isFinite(rpm) ? rpm : null, tpm: Number.isFinite(tpm) ? tpm : null };
}
