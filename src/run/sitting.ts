import { messageOf, RunStopped } from "../errors.ts";
import type { Answering } from "../gateway/answer-item.ts";
import type { Item } from "../item.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Wanted } from "../ledger/select.ts";
import type { RunMeter } from "../metrics/run-meter.ts";
import type { Outcome } from "../outcome.ts";
import { consumeRunQueue, OWNER_NAME } from "../queue/consumer.ts";
import type { RunPlace } from "../queue/keys.ts";
import { openOutcomeStream } from "../queue/outcome-stream.ts";
import { alone, mostTogether, type Parcel } from "../queue/parcel.ts";
import { openRunQueue } from "../queue/run-queue.ts";
import { Window } from "../queue/window.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { untilStopped } from "../system/until-stopped.ts";
import { asRunStopped } from "./as-run-stopped.ts";
import { type Elsewhere, takeUp } from "./elsewhere.ts";
import { enqueue } from "./enqueue.ts";
import type { OnRunEvent } from "./events.ts";
import { followState } from "./follow-state.ts";
import { Handling } from "./handling.ts";
import type { Hold } from "./hold.ts";
import { Inbox } from "./inbox.ts";
import { leave, tellLeaving } from "./leave.ts";
import type { Presence } from "./presence.ts";
import { Recording } from "./recording.ts";
import { watchRedis } from "./redis-watch.ts";
import { Refill } from "./refill.ts";
import { fairCapacity, HELD_PER_SLOT, Resting } from "./share.ts";
import { untilItWorks } from "./until-it-works.ts";

/** What one process does for a run between start and stop. */
export interface SittingParts {
  readonly place: RunPlace;
  /** Null where nobody else can reach the queue. */
  readonly presence: Presence | null;
  readonly hold: Hold;
  readonly ledger: Ledger;
  readonly wanted: Wanted;
  readonly answering: Answering;
  /** Calls in flight at once: items that wait to try again hold no slot, so more are in hand. */
  readonly concurrency: number;
  /** False leaves the calling to workers elsewhere. */
  readonly works: boolean;
  /** The items to bring to an outcome, in input order. */
  readonly items: AsyncIterable<readonly Item[]>;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the sitting early; what is in flight is still recorded. */
  readonly stop: (reason: RunStopped) => void;
  readonly onEvent: OnRunEvent;
  readonly onOutcome: (outcome: Outcome, model: string | undefined) => void;
  /** Told before an outcome is recorded whose calls were made elsewhere. */
  readonly onReceived: (outcome: Outcome) => void;
  readonly onHeld: (isHeld: boolean) => void;
  /** Workers are there who may take items of the run. */
  readonly onHelped: () => void;
  readonly meter: RunMeter | null;
}

/**
 * Brings every pending item through the queue to its outcome.
 *
 * @returns when all are recorded, or when the stopping signal has aborted and what was in flight
 *   is recorded: whether nothing of the run is left in Redis.
 */
export async function sit(parts: SittingParts): Promise<boolean> {
  const { answering, place, presence, hold, wanted, clock, log } = parts;
  const { connection } = place;
  const { stopping } = answering;
  const stop = (error: unknown): void => parts.stop(asRunStopped(error));
  const onError = (error: Error): void => {
    // Redis may come and go, and forget: the ledger knows what is done and the window what is not.
    log.debug({ event: "queue.error", error: messageOf(error) }, "the queue had trouble");
  };
  const window = new Window();
  const recording = new Recording(parts, window);
  const capacity = parts.concurrency * HELD_PER_SLOT;
  const fit = (): void => {
    const fair = fairCapacity(parts.concurrency, resting.size);
    consumer?.setCapacity(presence?.isAlone === false ? fair : capacity);
  };
  const resting = new Resting(clock, fit);
  const handling = new Handling({
    answering: { ...answering, clock: resting.clock },
    hold,
    recording,
    window,
    stop,
  });
  parts.meter?.watchQueue(() => ({
    waiting: window.size - handling.size,
    inHand: handling.size,
  }));
  const queue = openRunQueue(place, onError);
  const most = mostTogether(capacity);
  const consumer = parts.works
    ? consumeRunQueue({
        ...place,
        name: OWNER_NAME,
        capacity,
        together: most,
        handle: handling.handle,
        onBack: (item) => {
          window.send(alone(item));
          if (!stopping.aborted) refill.soon();
        },
        onError,
      })
    : null;
  const inbox =
    presence === null
      ? null
      : new Inbox({
          stream: openOutcomeStream(place),
          record: async (outcome) => {
            if (recording.isNews(outcome)) parts.onReceived(outcome);
            await recording.record(outcome);
          },
          onTrouble: ({ reason, message, remedy }) => stop(new RunStopped(reason, message, remedy)),
          onUnrecorded: stop,
          clock,
          log,
        });
  const elsewhere: Elsewhere | null =
    presence === null || inbox === null
      ? null
      : {
          hasWorkers: () => presence.workers.length > 0,
          claimed: (signal) => presence.claimed(signal),
          caughtUp: () => inbox.caughtUp(),
        };
  const isInHand = (index: number): boolean => handling.has(index);
  const refill = new Refill({ queue, window, isInHand, elsewhere, hold, clock, log });

  const setState = followState({ ...parts, queue, consumer, refill });
  const unwatch = watchRedis({
    ...parts,
    connection,
    onBack: (awayMs) => {
      presence?.wasAway(awayMs);
      refill.soon();
    },
  });
  /** What an earlier sitting left: outcomes that wait, and items that workers have in hand. */
  const open = async (): Promise<ReadonlySet<number>> => {
    if (presence === null || elsewhere === null) {
      await queue.clear();
      return new Set();
    }
    const state = await presence.begin();
    if (presence.sawWorkers) parts.onHelped();
    if (presence.wasHeld && state !== "paused") parts.onHeld(false);
    await setState(state);
    const inHandElsewhere = await takeUp(queue, elsewhere, stopping);
    if (state !== "paused") await queue.resume();
    return inHandElsewhere;
  };

  let isGone = false;
  try {
    const inHandElsewhere = await untilStopped(
      untilItWorks(open, clock, stopping, onError),
      stopping,
    );
    presence?.start({
      onWanted: (state) => void setState(state).catch(onError),
      onCutOff: () => hold.letGo(),
      onWorkers: () => {
        parts.onHelped();
        fit();
        refill.soon();
      },
      onForgotten: () => {
        if (hold.isOn) queue.pause().catch(onError);
        refill.soon();
      },
    });
    inbox?.start();
    fit();
    consumer?.start();
    // A run with a budget is worked on by its owner alone; yet workers of before may still drop parcels.
    const mayTravelTogether = (): boolean => parts.works && elsewhere?.hasWorkers() !== true;
    const add = async (parcels: readonly Parcel[]): Promise<void> => {
      try {
        await untilStopped(queue.add(parcels), stopping);
      } catch (error) {
        if (stopping.aborted) throw error;
        // They are in the window: what Redis did not take is put back when it can.
        log.warn({ event: "queue.refused", error: messageOf(error) }, "Redis refused items");
        refill.soon();
      }
    };
    await enqueue({
      items: parts.items,
      isWanted: (index) => wanted.has(index),
      isInHandElsewhere: (index) => inHandElsewhere.has(index),
      together: () => (mayTravelTogether() ? most : 1),
      add,
      window,
      hold,
      stopping,
    });
    refill.soon();
    await untilStopped(window.empty(), stopping);
  } catch (error) {
    if (!stopping.aborted) stop(error);
  } finally {
    unwatch();
    presence?.stop();
    const isOver = !stopping.aborted;
    // What is handed back from now on must not be handed out here again.
    consumer?.pause();
    if (!isOver) await tellLeaving(parts);
    await handling.settled();
    isGone = await leave({ ...parts, isOver, queue, consumer, inbox, refill, onError });
  }
  return isGone;
}
