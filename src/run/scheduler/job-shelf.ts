import { messageOf } from "../../errors.ts";
import type { OnSchedulerEvent } from "./events.ts";
import { findJobFiles, fingerprintOf } from "./job-files.ts";
import { loadScheduledJob, type ScheduledJob } from "./scheduled-job.ts";

/** The job files as they are now: each in its last good form. */
export class JobShelf {
  readonly #targets: readonly string[];
  readonly #workingDirectory: string;
  readonly #onEvent: OnSchedulerEvent;
  readonly #known = new Map<
    string,
    { readonly print: string; readonly good: ScheduledJob | null }
  >();

  constructor(targets: readonly string[], workingDirectory: string, onEvent: OnSchedulerEvent) {
    this.#targets = targets;
    this.#workingDirectory = workingDirectory;
    this.#onEvent = onEvent;
  }

  /**
   * Looks at the files; what has changed is read again and told.
   *
   * @returns the jobs to follow, by file.
   */
  async look(): Promise<ReadonlyMap<string, ScheduledJob>> {
    const refs = await findJobFiles(this.#targets);
    const files = new Set(refs.map(({ file }) => file));
    for (const { file } of refs) await this.#lookAt(file);
    for (const [file, { good }] of this.#known) {
      if (files.has(file)) continue;
      this.#known.delete(file);
      if (good !== null) this.#tellGone(file, "the file is gone");
    }
    return this.#jobs();
  }

  async #lookAt(file: string): Promise<void> {
    const print = await fingerprintOf(file);
    const before = this.#known.get(file);
    if (before?.print === print) return;
    const kept = before?.good ?? null;
    try {
      const good = await loadScheduledJob(file, this.#workingDirectory);
      // Written to while it was read: the next look sees the rest.
      this.#known.set(file, { print, good });
      if (good === null && kept !== null) this.#tellGone(file, "it has no schedule any more");
      if (good !== null) this.#tellScheduled(good);
    } catch (error) {
      this.#known.set(file, { print, good: kept });
      this.#onEvent({ event: "job_broken", file, keeps: kept !== null, message: messageOf(error) });
    }
  }

  /** Two jobs of one name would take each other's ticks: the first file has it. */
  #jobs(): Map<string, ScheduledJob> {
    const names = new Map<string, string>();
    const jobs = new Map<string, ScheduledJob>();
    for (const [file, { good }] of this.#known) {
      if (good === null) continue;
      const { name } = good.job;
      const first = names.get(name);
      if (first === undefined) {
        names.set(name, file);
        jobs.set(file, good);
      } else this.#tellNamesake(file, name, first);
    }
    return jobs;
  }

  readonly #namesakes = new Set<string>();

  #tellNamesake(file: string, name: string, first: string): void {
    const key = `${file}\n${name}`;
    if (this.#namesakes.has(key)) return;
    this.#namesakes.add(key);
    const message = `its name ${name} is taken by ${first}: give it another \`name\``;
    this.#onEvent({ event: "job_broken", file, keeps: false, message });
  }

  #tellScheduled({ file, job, cron, timeZone }: ScheduledJob): void {
    this.#onEvent({ event: "scheduled", job: job.name, file, cron, time_zone: timeZone });
  }

  #tellGone(file: string, message: string): void {
    this.#onEvent({ event: "unscheduled", file, message });
  }
}
