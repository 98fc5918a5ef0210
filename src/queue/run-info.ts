import * as z from "zod";

import type { Connection } from "./connection.ts";
import { infoKey, outcomesKey, ownerKey, type Place, type RunPlace, runsKey } from "./keys.ts";

/** An owner that has not been heard of for this long is dead. */
const OWNER_LIVES_MS = 5_000;
/** How long it is remembered that a run has ended, for workers that were cut off meanwhile. */
const ENDED_KEPT_MS = 24 * 60 * 60_000;

const VERSION = 1;

const positive = z.number().positive().nullable();

const termsSchema = z.object({
  version: z.literal(VERSION),
  job: z.string(),
  /** Where the calls go: a worker serves only the address that its own key is for. */
  base_url: z.string(),
  models: z.array(z.string()),
  attempts: z.int().positive(),
  timeout_ms: z.number().positive(),
  max_outage_ms: z.number().positive(),
  stream: z.boolean(),
  on_length: z.enum(["keep", "fail"]),
  rpm: positive,
  tpm: positive,
  /** Whether a budget limits it: then only the owner may call. */
  budget: z.boolean(),
  /** Whether earlier answers have shown that the job works. */
  proven: z.boolean(),
  /** Names the sitting: another one may have mended what stopped the last. */
  sitting: z.string(),
  host: z.string(),
  pid: z.int(),
});

/** What a worker must know of a run. Never a key. */
export type RunTerms = z.infer<typeof termsSchema>;

export const RUN_STATES = ["running", "paused", "cancelled", "stopped", "ended"] as const;

/**
 * What is wanted of a run. `paused` and `cancelled` are written by whoever steers it, `stopped` by
 * an owner that leaves it unfinished, `ended` by one that has finished it.
 */
export type RunState = (typeof RUN_STATES)[number];

const progressSchema = z.object({
  total: z.number(),
  completed: z.number(),
  failed: z.number(),
  items_per_second: z.number(),
});

/** How far the owner is. */
export type RunCounts = z.infer<typeof progressSchema>;

/** A run as Redis knows it. */
export interface KnownRun {
  readonly runId: string;
  /** Null where another version of Nightshift wrote them. */
  readonly terms: RunTerms | null;
  readonly state: RunState;
  readonly counts: RunCounts | null;
  readonly hasOwner: boolean;
}

/** Tells what is wanted: what was written last, unless Redis has forgotten it. */
const ANNOUNCE = `
local known = redis.call("HGET", KEYS[1], "state")
local state = known or ARGV[2]
if known and known ~= "paused" and ARGV[1] == "begin" then state = "running" end
redis.call("HSET", KEYS[1], "state", state, "terms", ARGV[3], "counts", ARGV[4])
redis.call("PERSIST", KEYS[1])
redis.call("SET", KEYS[2], ARGV[5], "PX", ${OWNER_LIVES_MS})
return { known or "", state }
`;

interface Scripted {
  nightshiftAnnounce(
    info: string,
    owner: string,
    ...args: readonly string[]
  ): Promise<[known: string, state: string]>;
  nightshiftStop(info: string, known: string): Promise<string>;
}

/** What an owner tells of its run. */
export interface Announcement {
  readonly terms: RunTerms;
  readonly counts: RunCounts;
  /** What is wanted, should Redis have forgotten it. */
  readonly state: RunState;
  /** Milliseconds: the order of the runs. */
  readonly since: number;
}

/**
 * Tells workers of a run, again and again as long as the owner lives.
 *
 * @param begins whether the owner has just sat down: then only a pause is kept of what was wanted.
 * @returns what is wanted of the run, and whether Redis had forgotten it.
 */
export async function announceRun(
  place: RunPlace,
  { terms, counts, state, since }: Announcement,
  begins: boolean,
): Promise<{ readonly state: RunState; readonly forgotten: boolean }> {
  const { connection, runId } = place;
  connection.defineCommand("nightshiftAnnounce", { numberOfKeys: 2, lua: ANNOUNCE });
  // ioredis makes the method at run time.
  const scripted = connection as Connection & Scripted;
  const [[known, wanted]] = await Promise.all([
    scripted.nightshiftAnnounce(
      infoKey(place),
      ownerKey(place),
      begins ? "begin" : "",
      state,
      JSON.stringify(terms),
      JSON.stringify(counts),
      terms.host,
    ),
    connection.zadd(runsKey(place), String(since), runId),
  ]);
  return { state: stateOf(wanted), forgotten: known === "" };
}

const STOP = `
local state = redis.call("HGET", KEYS[1], "state") or ARGV[1]
if state == "running" then state = "stopped" end
redis.call("HSET", KEYS[1], "state", state)
return state
`;

/**
 * The owner is about to leave: workers shall start no more calls.
 *
 * @param known what is wanted, should Redis have forgotten it.
 * @returns what is wanted of the run: a pause or a cancel of this moment stays.
 */
export async function stopRun(place: RunPlace, known: RunState): Promise<RunState> {
  const { connection } = place;
  connection.defineCommand("nightshiftStop", { numberOfKeys: 1, lua: STOP });
  // ioredis makes the method at run time.
  const scripted = connection as Connection & Scripted;
  return stateOf(await scripted.nightshiftStop(infoKey(place), known));
}

/** Writes what is wanted of a run. */
export async function wantRun(place: RunPlace, state: RunState): Promise<void> {
  await place.connection.hset(infoKey(place), "state", state);
}

/** The owner leaves the run as it is; workers may still send what they have in hand. */
export async function leaveRun(place: RunPlace): Promise<void> {
  await place.connection.del(ownerKey(place));
}

/**
 * Forgets a run.
 *
 * @param over whether it has all its outcomes: then it is remembered for a day that no more are
 *   wanted.
 */
export async function forgetRun(place: RunPlace, over: boolean): Promise<void> {
  const { connection, runId } = place;
  const info = infoKey(place);
  await connection.zrem(runsKey(place), runId);
  await connection.del(info, ownerKey(place), outcomesKey(place));
  if (!over) return;
  await connection.hset(info, "state", "ended" satisfies RunState);
  await connection.pexpire(info, ENDED_KEPT_MS);
}

/**
 * The runs on this Redis, oldest first.
 *
 * @param others ids of runs that may have ended meanwhile.
 */
export async function listRuns(
  place: Place,
  others: Iterable<string> = [],
): Promise<readonly KnownRun[]> {
  const ids = new Set([...(await place.connection.zrange(runsKey(place), "0", "-1")), ...others]);
  const runs = await Promise.all([...ids].map((runId) => readRun({ ...place, runId })));
  return runs.filter((run) => run !== null);
}

/** Null where Redis knows nothing of it. */
export async function readRun(place: RunPlace): Promise<KnownRun | null> {
  const { connection, runId } = place;
  const [[state, terms, counts], owners] = await Promise.all([
    connection.hmget(infoKey(place), "state", "terms", "counts"),
    connection.exists(ownerKey(place)),
  ]);
  if (typeof state !== "string") return null;
  return {
    runId,
    state: stateOf(state),
    terms: parsed(termsSchema, terms),
    counts: parsed(progressSchema, counts),
    hasOwner: owners > 0,
  };
}

function stateOf(text: string): RunState {
  // Whatever a newer version may mean by it: no more calls.
  return RUN_STATES.find((state) => state === text) ?? "stopped";
}

function parsed<T>(schema: z.ZodType<T>, text: string | null | undefined): T | null {
  if (typeof text !== "string") return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
