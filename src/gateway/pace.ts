import type { Admitted } from "./admitted.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** Where a second holds too little to tell a rate. */
const LONGER_STRETCHES_MS = [2_000, 5_000, 10_000];
/** Fewer units than these tell no rate. */
export const FEWEST_UNITS = 10;

/** Units that were let in lately. */
export interface Pace {
  readonly perMinute: number;
  readonly units: number;
  /** The most that were let in within as long before that. */
  readonly earlier: number;
}

/**
 * Units that were let in until then, within a second or, where those are few, within some more.
 *
 * @param since when the burst of refusals before began, or the first call was sent.
 */
export function paceBefore(admitted: Admitted, at: number, since: number): Pace | null {
  const within = (ms: number): Pace => {
    const units = admitted.within(ms, at);
    const earlier = admitted.most(ms, since + ms, at - ms);
    return { perMinute: (units * MINUTE_MS) / ms, units, earlier };
  };
  // A limit per second counts what came before a pause, too; over more, a pause tells too little.
  const longer = LONGER_STRETCHES_MS.filter((ms) => at - ms >= since).map(within);
  const lastSecond = within(SECOND_MS);
  const enough = [lastSecond, ...longer].find(({ units }) => units >= FEWEST_UNITS);
  return enough ?? (lastSecond.units > 0 ? lastSecond : null);
}
