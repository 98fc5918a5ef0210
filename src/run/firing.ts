/** What made a schedule start a run. */
export interface Firing {
  /** The moment of the schedule, which `{{ date }}` and `{{ time }}` are taken from. */
  readonly tick: number;
  /** The job file, as it was named. */
  readonly jobFile: string;
  /** Somebody asked for it (`schedule run`); it is no tick of the schedule. */
  readonly byHand: boolean;
  /** The files of the run that it goes on with: the job may name others by now. Null for a new run. */
  readonly inputs: readonly string[] | null;
}
