/** An amount that was let through and may be corrected once the true amount is known. */
export interface Reservation {
  readonly amount: number;
  /** Gives back a part that was not used. */
  giveBack(part: number): void;
}

/** Lets amounts through up to a rate. */
export interface Meter {
  /** The reservation, or the milliseconds after which the same amount would pass. */
  take(nowMs: number, amount: number): Reservation | number;
  /** What would pass now, for `x-ratelimit-remaining-*`. */
  remaining(nowMs: number): number;
}

interface Logged extends Reservation {
  amount: number;
  readonly at: number;
  expired: boolean;
}

/** At most `limit` within any `windowMs` milliseconds. What was refused does not count. */
export function slidingWindow(limit: number, windowMs: number): Meter {
  let log: Logged[] = [];
  let oldest = 0;
  let used = 0;

  function expire(nowMs: number): void {
    for (let entry = log[oldest]; entry !== undefined; entry = log[oldest]) {
      if (entry.at + windowMs > nowMs) break;
      used -= entry.amount;
      entry.expired = true;
      oldest += 1;
    }
    // Dropping the expired half now and then keeps taking O(1) on average.
    if (oldest > 1024 && oldest * 2 > log.length) {
      log = log.slice(oldest);
      oldest = 0;
    }
  }

  return {
    take(nowMs, amount) {
      expire(nowMs);
      if (used + amount > limit) {
        let free = limit - used;
        for (let index = oldest; index < log.length; index += 1) {
          const entry = log[index];
          free += entry?.amount ?? 0;
          if (entry !== undefined && free >= amount) return entry.at + windowMs - nowMs;
        }
        return windowMs;
      }
      const entry: Logged = {
        at: nowMs,
        amount,
        expired: false,
        giveBack(part) {
          entry.amount -= part;
          if (!entry.expired) used -= part;
        },
      };
      log.push(entry);
      used += amount;
      return entry;
    },
    remaining(nowMs) {
      expire(nowMs);
      return Math.max(0, limit - used);
    },
  };
}

/** Refills steadily at `perMinute` and holds at most `burst`. */
export function tokenBucket(perMinute: number, burst: number): Meter {
  const perMs = perMinute / 60_000;
  let level = burst;
  let filledAt: number | null = null;

  function fill(nowMs: number): void {
    if (filledAt !== null) level = Math.min(burst, level + (nowMs - filledAt) * perMs);
    filledAt = nowMs;
  }

  function giveBack(part: number): void {
    level = Math.min(burst, level + part);
  }

  return {
    take(nowMs, amount) {
      fill(nowMs);
      if (amount > level) return Math.ceil((amount - level) / perMs);
      level -= amount;
      return { amount, giveBack };
    },
    remaining(nowMs) {
      fill(nowMs);
      return Math.floor(level);
    },
  };
}
