import { handsKey, type RunPlace } from "./keys.ts";

/** A worker tells which items of a run it has in hand, should Redis forget who took what. */
export async function showHands(
  place: RunPlace,
  worker: string,
  indexes: readonly number[],
  livesMs: number,
): Promise<void> {
  await place.connection.set(handsKey(place, worker), indexes.join(","), "PX", livesMs);
}

/** The worker has nothing in hand any more. */
export async function hideHands(place: RunPlace, worker: string): Promise<void> {
  await place.connection.del(handsKey(place, worker));
}

/** The items that these workers have in hand. */
export async function seeHands(
  place: RunPlace,
  workers: readonly string[],
): Promise<ReadonlySet<number>> {
  const hands = await Promise.all(
    workers.map((worker) => place.connection.get(handsKey(place, worker))),
  );
  return new Set(
    hands.flatMap((text) => (text === null || text === "" ? [] : text.split(",").map(Number))),
  );
}
