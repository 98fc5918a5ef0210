import type { Item } from "../item.ts";

/** What travels through Redis for one item. Short names: there are millions of them. */
export interface Parcel {
  /** index */
  readonly i: number;
  /** custom id */
  readonly c: string;
  /** model */
  readonly m: string;
  /** request body */
  readonly b: string;
}

export function pack({ index, customId, model, body }: Item): Parcel {
  return { i: index, c: customId, m: model, b: body };
}

export function unpack({ i, c, m, b }: Parcel): Item {
  return { index: i, customId: c, model: m, body: b };
}
