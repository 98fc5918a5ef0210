import type { Slice } from "../../src/sandbox/timeline.ts";

const SLICE_MS = 100;
/** What comes after this share of the requests is the drain tail: there is not enough left to do. */
const BEFORE_THE_TAIL = 0.98;

/** What a gateway saw between two moments. */
export interface Traffic {
  readonly seconds: number;
  readonly admitted: number;
  readonly tokens: number;
  readonly refused: number;
  /** On average. */
  readonly inFlight: number;
}

/** A stretch of wall-clock time, in milliseconds. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What happened within a stretch, to a tenth of a second. */
export function trafficOf(slices: readonly Slice[], { from, to }: Stretch): Traffic {
  const sum = { admitted: 0, tokens: 0, refused: 0, inFlightMs: 0 };
  for (const slice of slices) {
    if (slice.at < from || slice.at >= to) continue;
    sum.admitted += slice.admitted;
    sum.tokens += slice.tokens;
    sum.refused += refusedIn(slice);
    sum.inFlightMs += slice.inFlightMs;
  }
  const { inFlightMs, ...counts } = sum;
  return { ...counts, seconds: (to - from) / 1000, inFlight: inFlightMs / (to - from) };
}

/** From the first request to the last ones that had others behind them. */
export function busyStretch(slices: readonly Slice[]): Stretch {
  const last = BEFORE_THE_TAIL * slices.reduce((sum, { admitted }) => sum + admitted, 0);
  let admitted = 0;
  const end = slices.find((slice) => (admitted += slice.admitted) >= last);
  const from = slices[0]?.at;
  if (from === undefined || end === undefined) throw new Error("the gateway was asked for nothing");
  return { from, to: end.at + SLICE_MS };
}

/** Share of all calls that were refused. */
export function refusedShare(slices: readonly Slice[]): number {
  const all = { from: -Infinity, to: Infinity };
  const { admitted, refused } = trafficOf(slices, all);
  return refused / (admitted + refused);
}

/** The most refusals within one second of the clock. */
export function worstSecond(slices: readonly Slice[], stretch: Stretch): number {
  const bySecond = new Map<number, number>();
  for (const slice of slices) {
    if (slice.at < stretch.from || slice.at >= stretch.to) continue;
    const second = Math.floor(slice.at / 1000);
    bySecond.set(second, (bySecond.get(second) ?? 0) + refusedIn(slice));
  }
  return Math.max(0, ...bySecond.values());
}

function refusedIn({ refused }: Slice): number {
  return refused.requests + refused.tokens + refused.concurrency;
}
