import { RunStopped } from "../errors.ts";
import type { Consumer } from "../queue/consumer.ts";
import type { RunPlace } from "../queue/keys.ts";
import type { RunState } from "../queue/run-info.ts";
import type { RunQueue } from "../queue/run-queue.ts";
import type { Hold } from "./hold.ts";
import type { Refill } from "./refill.ts";

export interface FollowStateParts {
  readonly place: RunPlace;
  readonly hold: Hold;
  readonly queue: Pick<RunQueue, "pause" | "resume">;
  /** Null where the calling is left to workers elsewhere. */
  readonly consumer: Pick<Consumer, "pause" | "resume"> | null;
  readonly refill: Pick<Refill, "soon">;
  readonly stop: (reason: RunStopped) => void;
  readonly onHeld: (isHeld: boolean) => void;
}

/** Does what somebody wants of the run: `pause` holds it, `resume` lets it go on, `cancel` ends it. */
export function followState(parts: FollowStateParts): (wanted: RunState) => Promise<void> {
  const { place, hold, queue, consumer, refill, stop, onHeld } = parts;
  return async (wanted) => {
    if (wanted === "cancelled") stop(cancelled(place.runId));
    if (hold.isOn === (wanted === "paused")) return;
    if (wanted === "paused") {
      consumer?.pause();
      hold.on();
      await queue.pause();
    } else {
      hold.off();
      await queue.resume();
      consumer?.resume();
      refill.soon();
    }
    onHeld(hold.isOn);
  };
}

export function cancelled(runId: string): RunStopped {
  return new RunStopped(
    "cancelled",
    `cancelled with \`nightshift cancel ${runId}\``,
    "Nothing is lost: the same command goes on with the items that are left.",
  );
}
