import type { Connection } from "./connection.ts";

// Everything that Nightshift keeps in Redis. What belongs to one run has one hash tag, so that a
// cluster keeps it in one place, where one script may touch all of it.

/** Where things lie: teams that share a Redis have a prefix each. */
export interface Place {
  readonly connection: Connection;
  readonly prefix: string;
}

/** Where one run lies. */
export interface RunPlace extends Place {
  readonly runId: string;
}

/** BullMQ puts the prefix before it. */
export function queueName(runId: string): string {
  return `{${runId}}`;
}

/** BullMQ refuses ids that are all digits. */
export function jobId(index: number): string {
  return `i${index}`;
}

/** Begins every key of the run, those of BullMQ too. */
export function runBase({ prefix, runId }: RunPlace): string {
  return `${prefix}:${queueName(runId)}`;
}

/** What a worker must know of the run, how it stands, and what is wanted of it. */
export function infoKey(place: RunPlace): string {
  return `${runBase(place)}:info`;
}

/** Is there as long as the owner lives. */
export function ownerKey(place: RunPlace): string {
  return `${runBase(place)}:owner`;
}

/** Outcomes on their way from workers to the owner. */
export function outcomesKey(place: RunPlace): string {
  return `${runBase(place)}:outcomes`;
}

/** Which items a worker has in hand. */
export function handsKey(place: RunPlace, worker: string): string {
  return `${runBase(place)}:hands:${worker}`;
}

/** Ids of the runs, by the time of their beginning. */
export function runsKey({ prefix }: Place): string {
  return `${prefix}:runs`;
}

/** Ids of the workers, some of which may be gone. */
export function workersKey({ prefix }: Place): string {
  return `${prefix}:workers`;
}

/** Is there as long as the worker lives. */
export function workerKey({ prefix }: Place, worker: string): string {
  return `${prefix}:worker:${worker}`;
}
