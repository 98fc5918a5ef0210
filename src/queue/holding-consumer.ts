import type { Clock } from "../system/clock.ts";
import {
  type Consumer,
  type ConsumerOptions,
  consumeRunQueue,
  type Handed,
  type Handled,
  SURE_MS,
} from "./consumer.ts";
import { jobId } from "./keys.ts";

const LOOK_EVERY_MS = 1_000;

/** An item as it was handed out to one of several who may take it. */
export interface HandedHeld extends Handed {
  /** Aborts when the hold on the item is lost: it may be in somebody else's hands by now. */
  readonly lost: AbortSignal;
}

export interface HoldingConsumerOptions extends Omit<
  ConsumerOptions,
  "handle" | "together" | "onBack" | "onRenewed" | "onLost"
> {
  readonly handle: (handed: HandedHeld) => Promise<Handled>;
  readonly clock: Clock;
}

/** Takes items from a run's queue, and tells of each when the hold on it is lost. */
export function consumeHolding(options: HoldingConsumerOptions): Consumer {
  const { handle, clock } = options;
  const holds = new Map<string, { readonly lost: AbortController; heldAt: number }>();
  const lose = (ids: Iterable<string>): void => {
    for (const id of ids) holds.get(id)?.lost.abort(new Error("the hold on the item is lost"));
  };
  const consumer = consumeRunQueue({
    ...options,
    handle: async (handed) => {
      const id = jobId(handed.item.index);
      const hold = { lost: new AbortController(), heldAt: clock.monotonic() };
      holds.set(id, hold);
      try {
        const handled = await handle({ ...handed, lost: hold.lost.signal });
        return handled === "back" && hold.lost.signal.aborted ? "lost" : handled;
      } finally {
        // It may have been handed out once more since.
        if (holds.get(id) === hold) holds.delete(id);
      }
    },
    onRenewed: (ids) => {
      const now = clock.monotonic();
      for (const id of ids) {
        const hold = holds.get(id);
        if (hold !== undefined) hold.heldAt = now;
      }
    },
    onLost: lose,
  });
  // A link that is cut says nothing: what was not renewed in time is taken for lost.
  let cancelLook = (): void => {};
  const look = (): void => {
    const now = clock.monotonic();
    lose([...holds].flatMap(([id, { heldAt }]) => (now - heldAt > SURE_MS ? [id] : [])));
    cancelLook = clock.after(LOOK_EVERY_MS, look);
  };
  look();
  return {
    ...consumer,
    close: () => consumer.close().finally(() => cancelLook()),
    abandon: () => {
      cancelLook();
      consumer.abandon();
    },
  };
}
