import { createHash } from "node:crypto";
import { basename, join } from "node:path";

import type { ResolvedJob } from "../../job/resolved-job.ts";
import { KnownAnswers } from "../../ledger/known-answers.ts";
import { countVanished } from "../../ledger/vanished.ts";
import { listRuns } from "../directory.ts";
import type { InputScan } from "../scan-input.ts";

/** Whose answers are looked for, and where. */
export interface EarlierRunsQuestion {
  readonly job: ResolvedJob;
  readonly baseUrl: string;
  /** The directory of the runs. */
  readonly root: string;
  /** The run directory that asks; null where there is none yet. */
  readonly own: string | null;
}

/** Characters of a job's name in the index file's. */
const LONGEST_NAME = 60;

/** What earlier runs of a job know: those of the same name beside its own directory, at the same gateway. */
export class EarlierRuns {
  readonly answers: KnownAnswers;
  readonly #newest: { readonly directory: string; readonly runId: string };

  private constructor(answers: KnownAnswers, newest: { directory: string; runId: string }) {
    this.answers = answers;
    this.#newest = newest;
  }

  /** @returns null where there is no earlier run. */
  static async open(question: EarlierRunsQuestion): Promise<EarlierRuns | null> {
    const { job, baseUrl, root } = question;
    const own = question.own === null ? null : basename(question.own);
    // A rehearsal's answers must not be taken for those of another gateway.
    const runs = (await listRuns(root))
      .filter(({ manifest }) => manifest.job["name"] === job.name && manifest.base_url === baseUrl)
      .map(({ path, manifest: { run_id: runId, created_at: createdAt } }) => {
        return { name: basename(path), runId, createdAt };
      });
    const newest = runs.find(({ name }) => name !== own);
    if (newest === undefined) return null;
    const gateway = createHash("sha256").update(baseUrl).digest("hex").slice(0, 8);
    const name = `${job.name.slice(0, LONGEST_NAME)}-${gateway}`;
    const answers = await KnownAnswers.open({ root, name, runs, own });
    return new EarlierRuns(answers, {
      directory: join(root, newest.name),
      runId: newest.runId,
    });
  }

  /** How many items of the newest of them are no longer in the input. */
  vanished({ requests, ids }: Pick<InputScan, "requests" | "ids">): Promise<number> {
    const { directory, runId } = this.#newest;
    return countVanished(
      directory,
      runId,
      (request) => requests?.has(request) ?? false,
      ids?.lookup() ?? (() => true),
    );
  }
}
