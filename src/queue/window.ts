import type { Item } from "../item.ts";
import type { Parcel } from "./parcel.ts";

/** How much of the input may be in the queue at once: both bounds hold. */
export interface WindowLimits {
  readonly items: number;
  readonly bytes: number;
}

/** 4 000 items and 32 MB keep Redis and this process small however long the input is. */
export const WINDOW_LIMITS: WindowLimits = { items: 4_000, bytes: 32 * 1024 * 1024 };

/** A full window is filled up again when it has come down to this share. */
const REFILL_BELOW = 15 / 16;

interface Waiting {
  readonly isDue: () => boolean;
  readonly wake: () => void;
}

interface Kept {
  readonly item: Item;
  /** The id of the parcel that it travels in; undefined until it is on its way. */
  parcel: string | undefined;
}

/**
 * The items that are in the queue but not in the ledger. It keeps them, so that one which Redis
 * loses can be put back.
 */
export class Window {
  readonly #limits: WindowLimits;
  readonly #items = new Map<number, Kept>();
  #bytes = 0;
  #waiting: Waiting[] = [];

  constructor(limits: WindowLimits = WINDOW_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#items.size;
  }

  has(index: number): boolean {
    return this.#items.has(index);
  }

  /** Whether an item fits now. One that is larger than the window fits when it is empty. */
  fits({ body }: Item): boolean {
    if (this.#items.size === 0) return true;
    const bytes = this.#bytes + Buffer.byteLength(body);
    return this.#items.size < this.#limits.items && bytes <= this.#limits.bytes;
  }

  put(item: Item): void {
    this.#items.set(item.index, { item, parcel: undefined });
    this.#bytes += Buffer.byteLength(item.body);
  }

  /** These items are on their way to the queue, in this parcel. */
  send({ id, items }: Parcel): void {
    for (const { index } of items) {
      const kept = this.#items.get(index);
      if (kept !== undefined) kept.parcel = id;
    }
  }

  /** The id of the parcel that brought the item into the queue; undefined before that. */
  parcelOf(index: number): string | undefined {
    return this.#items.get(index)?.parcel;
  }

  /** The item has its outcome. */
  release(index: number): void {
    const kept = this.#items.get(index);
    if (kept === undefined) return;
    this.#items.delete(index);
    this.#bytes -= Buffer.byteLength(kept.item.body);
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ isDue }) => !isDue());
    for (const { isDue, wake } of waiting) if (isDue()) wake();
  }

  /** Resolves when nothing is left in it. */
  empty(): Promise<void> {
    return this.#when(() => this.#items.size === 0);
  }

  /**
   * Resolves when the item fits and a good part of the window is free: one that is filled up by
   * single items costs a round trip for each.
   */
  room(item: Item): Promise<void> {
    return this.#when(() => this.fits(item) && this.#isRoomy());
  }

  #isRoomy(): boolean {
    const { items, bytes } = this.#limits;
    return (
      this.#items.size === 0 ||
      (this.#items.size <= items * REFILL_BELOW && this.#bytes <= bytes * REFILL_BELOW)
    );
  }

  #when(isDue: () => boolean): Promise<void> {
    if (isDue()) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ isDue, wake }));
  }

  indexes(): number[] {
    return [...this.#items.keys()];
  }

  get(index: number): Item | undefined {
    return this.#items.get(index)?.item;
  }
}
