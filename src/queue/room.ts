/** A parcel in hand. */
export interface Held {
  /** Items of it that are not over. */
  left: number;
  /** Resolves when others should be taken in its place, whatever is left of it. */
  readonly letGo: Promise<void>;
  readonly release: () => void;
}

/**
 * How many parcels may be in hand, where what counts is items. Whoever fetches parcels looks only
 * when one comes or goes: where items that last keep him from looking although another would fit,
 * the parcel is let go that has the least of them. That costs nothing: it would have gone anyway.
 */
export class Room {
  readonly #together: number;
  readonly #parcels = new Set<Held>();
  #capacity: number;
  #items = 0;
  #fits = 0;

  /** @param together items that a parcel may hold. */
  constructor(capacity: number, together: number) {
    this.#capacity = capacity;
    this.#together = together;
  }

  set capacity(items: number) {
    this.#capacity = items;
  }

  /** How many parcels may be in hand now, those that are included. */
  fit(): number {
    this.#fits = Math.max(1, this.#parcels.size + Math.floor(this.#free / this.#together));
    return this.#fits;
  }

  take(items: number): Held {
    const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
    const held: Held = { left: items, letGo, release };
    this.#parcels.add(held);
    this.#items += items;
    return held;
  }

  /** One of its items is over. */
  itemOver(held: Held): void {
    held.left -= 1;
    this.#items -= 1;
    const isAsleep = this.#parcels.size >= this.#fits;
    if (isAsleep && this.#free >= this.#together) this.#least()?.release();
  }

  /** The parcel is in hand no longer; what is left of it still takes room. */
  gone(held: Held): void {
    this.#parcels.delete(held);
  }

  #least(): Held | undefined {
    let least: Held | undefined;
    for (const held of this.#parcels) {
      if (held.left > 0 && held.left < (least?.left ?? Infinity)) least = held;
    }
    return least;
  }

  get #free(): number {
    return Math.max(0, this.#capacity - this.#items);
  }
}
