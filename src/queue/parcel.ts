import type { Item } from "../item.ts";
import { jobId } from "./keys.ts";

/** Parcels that should be in hand at once: so many, that one which is slow holds up little. */
const IN_HAND = 16;
const MOST_TOGETHER = 16;
/** More than this is not put together: what is large costs its own way anyway. */
const MOST_BYTES = 64 * 1024;

/**
 * What travels as one job of the queue: an item, or several where the owner works on the run alone.
 * For a small item the way through Redis costs more than its call, so that a parcel of sixteen
 * makes the whole run half as fast again.
 */
export interface Parcel {
  readonly id: string;
  readonly items: readonly Item[];
}

/** An item that travels alone. */
export function alone(item: Item): Parcel {
  return { id: jobId(item.index), items: [item] };
}

/**
 * How many items may travel together.
 *
 * @param capacity items that may be in hand at once.
 */
export function mostTogether(capacity: number): number {
  return Math.min(MOST_TOGETHER, Math.max(1, Math.floor(capacity / IN_HAND)));
}

/** Makes parcels of up to so many items, in their order. */
export function together(items: readonly Item[], most: number): Parcel[] {
  if (most === 1) return items.map(alone);
  const parcels: Parcel[] = [];
  let packed: Item[] = [];
  let bytes = 0;
  const close = (): void => {
    const [first] = packed;
    if (first !== undefined) parcels.push({ id: parcelId(first, packed.length), items: packed });
    packed = [];
    bytes = 0;
  };
  for (const item of items) {
    const size = Buffer.byteLength(item.body);
    if (packed.length === most || bytes + size > MOST_BYTES) close();
    packed.push(item);
    bytes += size;
  }
  close();
  return parcels;
}

/** How many items travel under the id. */
export function itemsUnder(id: string): number {
  return Number(/x(\d+)$/.exec(id)?.[1] ?? 1);
}

function parcelId(first: Item, count: number): string {
  return count === 1 ? jobId(first.index) : `${jobId(first.index)}x${count}`;
}

/** An item as Redis has it. Short names: there are millions of them. */
interface Packed {
  /** index */
  readonly i: number;
  /** custom id */
  readonly c: string;
  /** model */
  readonly m: string;
  /** request body */
  readonly b: string;
}

/** A parcel as Redis has it. */
export type Load = Packed | readonly Packed[];

export function pack({ items }: Parcel): Load {
  const loads = items.map(packItem);
  const [only] = loads;
  return loads.length === 1 && only !== undefined ? only : loads;
}

export function unpack(load: Load): Item[] {
  return "i" in load ? [unpackItem(load)] : load.map(unpackItem);
}

function packItem({ index, customId, model, body }: Item): Packed {
  return { i: index, c: customId, m: model, b: body };
}

function unpackItem({ i, c, m, b }: Packed): Item {
  return { index: i, customId: c, model: m, body: b };
}
