import type { Connection } from "./connection.ts";

/** What another scheduler does about a tick. */
interface OthersClaim {
  readonly by: string;
  readonly isConfirmed: boolean;
}

/** Ticks and jobs that one of several schedulers has taken. */
export interface ScheduleClaims {
  claim(job: string, tick: number): Promise<OthersClaim | null>;
  taken(job: string, ticks: readonly number[]): Promise<ReadonlyMap<number, OthersClaim>>;
  confirm(job: string, tick: number): Promise<void>;
  hold(job: string): Promise<void>;
  release(job: string): Promise<void>;
  isHeldElsewhere(job: string): Promise<boolean>;
}

/** A scheduler that dies with a claim before its run has begun loses it after this long. */
const CLAIM_MS = 60_000;
/** Longer than any machine sleeps that may then ask for an old tick. */
const CONFIRMED_MS = 35 * 86_400_000;
const HOLD_MS = 60_000;
const CONFIRMED = "run ";
const CLAIMED = "claim ";

/**
 * One key per job and tick, taken with `SET … NX`: simpler than BullMQ's job schedulers, which would
 * count the ticks by themselves, without the days on which clocks change and without a word on those
 * that they leave out.
 *
 * @param scheduler names the one who asks; `host` is told to the others.
 */
export function openScheduleClaims(
  connection: Connection,
  prefix: string,
  scheduler: string,
  host: string,
): ScheduleClaims {
  const own = `${scheduler} ${host}`;
  const tickKey = (job: string, tick: number): string => `${prefix}:schedule:${job}:${tick}`;
  const holdKey = (job: string): string => `${prefix}:schedule:${job}:busy`;
  const parse = (value: string | null | undefined): OthersClaim | null => {
    if (value === null || value === undefined || value.endsWith(own)) return null;
    return { by: value.split(" ").slice(2).join(" "), isConfirmed: value.startsWith(CONFIRMED) };
  };
  return {
    claim: async (job, tick) => {
      const key = tickKey(job, tick);
      // Whoever had it may lose it between the two.
      for (;;) {
        if ((await connection.set(key, CLAIMED + own, "PX", CLAIM_MS, "NX")) === "OK") return null;
        const value = await connection.get(key);
        if (value !== null) return parse(value);
      }
    },
    taken: async (job, ticks) => {
      const values = await Promise.all(ticks.map((tick) => connection.get(tickKey(job, tick))));
      const others = ticks.map((tick, at) => [tick, parse(values[at])] as const);
      return new Map(others.flatMap(([tick, claim]) => (claim === null ? [] : [[tick, claim]])));
    },
    confirm: async (job, tick) => {
      await connection.set(tickKey(job, tick), CONFIRMED + own, "PX", CONFIRMED_MS);
    },
    hold: async (job) => {
      const key = holdKey(job);
      if ((await connection.set(key, own, "PX", HOLD_MS, "NX")) === "OK") return;
      if ((await connection.get(key)) === own) await connection.pexpire(key, HOLD_MS);
    },
    release: async (job) => {
      const key = holdKey(job);
      if ((await connection.get(key)) === own) await connection.del(key);
    },
    isHeldElsewhere: async (job) => {
      const holder = await connection.get(holdKey(job));
      return holder !== null && holder !== own;
    },
  };
}
