import type { Item } from "../item.ts";
import { alone, type Parcel, together } from "../queue/parcel.ts";
import type { Window } from "../queue/window.ts";
import { untilStopped } from "../system/until-stopped.ts";
import type { Hold } from "./hold.ts";

const CHUNK_ITEMS = 250;

export interface EnqueueParts {
  /** In input order. */
  readonly items: AsyncIterable<readonly Item[]>;
  readonly isWanted: (index: number) => boolean;
  /** Whether a worker has had it in hand since an earlier sitting: then its answer is waited for. */
  readonly isInHandElsewhere: (index: number) => boolean;
  /** How many items may travel together now. */
  readonly together: () => number;
  readonly add: (parcels: readonly Parcel[]) => Promise<void>;
  readonly window: Window;
  readonly hold: Hold;
  readonly stopping: AbortSignal;
}

/** Feeds the queue as fast as the window has room. */
export async function enqueue(parts: EnqueueParts): Promise<void> {
  const { items, isWanted, isInHandElsewhere, add, window, hold, stopping } = parts;
  let chunk: Item[] = [];
  const flush = async (): Promise<void> => {
    if (chunk.length > 0 && hold.isOn) await untilStopped(hold.over(), stopping);
    // Some may have got their outcome since they were put into the window.
    const adding = chunk.filter(({ index }) => window.has(index));
    chunk = [];
    if (adding.length === 0) return;
    const parcels = together(adding, parts.together());
    for (const parcel of parcels) window.send(parcel);
    await add(parcels);
  };
  for await (const batch of items) {
    for (const item of batch) {
      if (!window.fits(item)) {
        await flush();
        await untilStopped(window.room(item), stopping);
      }
      // A worker may have sent its outcome since the batch was read.
      if (!isWanted(item.index)) continue;
      window.put(item);
      if (isInHandElsewhere(item.index)) window.send(alone(item));
      else chunk.push(item);
      if (chunk.length >= CHUNK_ITEMS) await flush();
    }
    stopping.throwIfAborted();
  }
  await flush();
}
