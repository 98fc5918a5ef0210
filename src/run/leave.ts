import type { Answering } from "../gateway/answer-item.ts";
import type { Consumer } from "../queue/consumer.ts";
import type { RunPlace } from "../queue/keys.ts";
import { forgetRun } from "../queue/run-info.ts";
import { openRunQueue, type RunQueue } from "../queue/run-queue.ts";
import type { Clock } from "../system/clock.ts";
import type { Inbox } from "./inbox.ts";
import type { Presence } from "./presence.ts";
import type { Refill } from "./refill.ts";

/** How long Redis may take to tidy up after a sitting. */
const TIDY_MS = 5_000;
/** How often is looked whether workers elsewhere still have something in hand. */
const LOOK_EVERY_MS = 200;
/** A streamed answer may take ten times as long as its silence. */
const STREAMED = 10;

export interface LeaveParts {
  readonly place: RunPlace;
  readonly presence: Presence | null;
  readonly answering: Answering;
  /** Whether every wanted item has its outcome. */
  readonly isOver: boolean;
  readonly queue: RunQueue;
  readonly consumer: Consumer | null;
  readonly inbox: Inbox | null;
  readonly refill: Refill;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
}

/** Tells workers to start no more calls, before what is in hand is waited for. */
export async function tellLeaving({
  presence,
  clock,
}: Pick<LeaveParts, "presence" | "clock">): Promise<void> {
  await within(TIDY_MS, clock, () => presence?.leaving());
}

/** What became of what a run had in Redis. */
type Leaving = "gone" | "kept" | "no answer";

/**
 * Leaves Redis as a sitting should: with nothing in it but what somebody still has in hand.
 *
 * @returns whether nothing is left there.
 */
export async function leave(parts: LeaveParts): Promise<boolean> {
  const { place, presence, queue, consumer, inbox, refill, clock, onError } = parts;
  const { connection } = place;
  const isThere = (): boolean => connection.status === "ready";
  // Also where Redis is away.
  const looksNoMore = refill.close();
  const inTime =
    isThere() &&
    (await within(TIDY_MS, clock, async () => {
      await Promise.all([consumer?.close(), looksNoMore]);
      if (presence === null) await queue.clear();
    }));
  const leaving =
    presence === null ? "gone" : inTime ? await leaveShared(parts, presence) : "no answer";
  await within(TIDY_MS, clock, async () => inbox?.close());
  if (inTime && leaving !== "no answer") await queue.close().catch(onError);
  else {
    // The ledger has everything: a Redis that does not answer must not hold the sitting.
    consumer?.abandon();
  }
  return leaving === "gone";
}

/**
 * Takes out what earlier sittings of a run have left that is over now, where this one had nothing to
 * ask: workers stop, and nobody waits for what they have in hand.
 *
 * @returns whether nothing is left there.
 */
export async function leaveNothing(place: RunPlace, clock: Clock): Promise<boolean> {
  if (place.connection.status !== "ready") return false;
  const queue = openRunQueue(place, () => {});
  return within(TIDY_MS, clock, async () => {
    await queue.clear();
    await forgetRun(place, true);
    await queue.close();
  });
}

async function leaveShared(parts: LeaveParts, presence: Presence): Promise<Leaving> {
  const { isOver, queue, inbox, clock } = parts;
  const forget = async (): Promise<void> => {
    await queue.clear();
    await presence.forget(isOver);
  };
  if (isOver) return (await within(TIDY_MS, clock, forget)) ? "gone" : "no answer";
  if (!(await within(TIDY_MS, clock, () => queue.pause()))) return "no answer";
  const nobodyWorks = await workersEnd(parts);
  const isKept = !nobodyWorks || presence.state === "paused";
  const answered = await within(TIDY_MS, clock, async () => {
    await inbox?.caughtUp();
    await (isKept ? presence.leave() : forget());
  });
  if (!answered) return "no answer";
  return isKept ? "kept" : "gone";
}

/**
 * Waits for what workers have in hand, as long as one call may take, and records it.
 *
 * @returns whether nobody has anything in hand now.
 */
async function workersEnd({ answering, queue, inbox, clock }: LeaveParts): Promise<boolean> {
  const { policy, ending } = answering;
  const patience = policy.timeoutMs * (policy.stream ? STREAMED : 1) + TIDY_MS;
  const began = clock.monotonic();
  while (!ending.aborted) {
    let inHand: readonly number[] = [];
    const answered = await within(TIDY_MS, clock, async () => {
      inHand = await queue.tidy();
      // A worker sends first and lets go then.
      await inbox?.caughtUp();
    });
    if (!answered) return false;
    if (inHand.length === 0) return true;
    if (clock.monotonic() - began > patience) return false;
    await clock.sleep(LOOK_EVERY_MS, ending).catch(() => {});
  }
  return false;
}

/** Whether an action ended well in time. */
async function within(
  ms: number,
  clock: Clock,
  act: () => Promise<unknown> | undefined,
): Promise<boolean> {
  const patience = new AbortController();
  const failed = (): boolean => false;
  try {
    return await Promise.race([
      Promise.resolve(act()).then(() => true, failed),
      clock.sleep(ms, patience.signal).then(failed, failed),
    ]);
  } finally {
    patience.abort();
  }
}
