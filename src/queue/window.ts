import type { Item } from "../item.ts";

/** How much of the input may be in the queue at once: both bounds hold. */
export interface WindowLimits {
  readonly items: number;
  readonly bytes: number;
}

/** 4 000 items and 32 MB keep Redis and this process small however long the input is. */
export const WINDOW_LIMITS: WindowLimits = { items: 4_000, bytes: 32 * 1024 * 1024 };

/**
 * The items that are in the queue but not in the ledger. It keeps them, so that one which Redis
 * loses can be put back.
 */
export class Window {
  readonly #limits: WindowLimits;
  readonly #items = new Map<number, Item>();
  #bytes = 0;
  #onChange: (() => void)[] = [];

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
    this.#items.set(item.index, item);
    this.#bytes += Buffer.byteLength(item.body);
  }

  /** The item has its outcome. */
  release(index: number): void {
    const item = this.#items.get(index);
    if (item === undefined) return;
    this.#items.delete(index);
    this.#bytes -= Buffer.byteLength(item.body);
    const waiting = this.#onChange;
    this.#onChange = [];
    for (const wake of waiting) wake();
  }

  /** Resolves at the next release. */
  released(): Promise<void> {
    return new Promise((resolve) => this.#onChange.push(resolve));
  }

  indexes(): number[] {
    return [...this.#items.keys()];
  }

  get(index: number): Item | undefined {
    return this.#items.get(index);
  }
}
