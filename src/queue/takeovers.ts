import { runBase, type RunPlace } from "./keys.ts";

/** A field of the queue's own entry for an item: it comes and goes with it. */
const OUTLIVED = "outlived";

/** An item that is over must not come back as an entry with nothing but this in it. */
const OUTLIVE = `
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HINCRBY", KEYS[1], "${OUTLIVED}", 1) end
`;

interface Scripted {
  nightshiftOutlive(entry: string): Promise<null>;
}

/**
 * Tells deaths from holds that ran out while their holder lived, as when Redis stood still or a link
 * was cut: BullMQ counts both. Whoever finds its hold gone is alive, and says so at the item.
 */
export class Takeovers {
  readonly #place: RunPlace;
  /** What is in hand, and whether it was noted that the hold on it is gone. */
  readonly #inHand = new Map<string, { isNoted: boolean }>();

  constructor(place: RunPlace) {
    this.#place = place;
    place.connection.defineCommand("nightshiftOutlive", { numberOfKeys: 1, lua: OUTLIVE });
  }

  /** Does something with an item in hand. */
  async holding<T>(id: string, act: () => Promise<T>): Promise<T> {
    const hold = { isNoted: false };
    this.#inHand.set(id, hold);
    try {
      return await act();
    } finally {
      if (this.#inHand.get(id) === hold) this.#inHand.delete(id);
    }
  }

  /** The holds on these could not be renewed; it may be told time and again. */
  async lost(ids: readonly string[]): Promise<void> {
    // ioredis makes the method at run time.
    const scripted = this.#place.connection as RunPlace["connection"] & Scripted;
    const news = ids.filter((id) => {
      const hold = this.#inHand.get(id);
      if (hold === undefined || hold.isNoted) return false;
      return (hold.isNoted = true);
    });
    await Promise.all(news.map((id) => scripted.nightshiftOutlive(this.#entry(id))));
  }

  /**
   * How many workers have died with an item.
   *
   * @param stalled how many holds on it have run out.
   */
  async deaths(id: string, stalled: number): Promise<number> {
    if (stalled === 0) return 0;
    const outlived = await this.#place.connection.hget(this.#entry(id), OUTLIVED);
    return Math.max(0, stalled - Number(outlived ?? 0));
  }

  #entry(id: string): string {
    return `${runBase(this.#place)}:${id}`;
  }
}
