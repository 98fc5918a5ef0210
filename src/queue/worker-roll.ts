import * as z from "zod";

import { type Place, workerKey, workersKey } from "./keys.ts";

/** A worker that has not been heard of for this long is gone. */
export const WORKER_LIVES_MS = 5_000;

const cardSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.int(),
  base_url: z.string(),
  /** Which runs it serves. */
  runs: z.string(),
  concurrency: z.int(),
  /** Calls in flight by run. */
  in_flight: z.record(z.string(), z.int()),
});

/** A worker that is online. */
export type WorkerCard = z.infer<typeof cardSchema>;

/** The worker says that it is there: every second or so. */
export async function signOn(place: Place, card: WorkerCard): Promise<void> {
  await Promise.all([
    place.connection.sadd(workersKey(place), card.id),
    place.connection.set(workerKey(place, card.id), JSON.stringify(card), "PX", WORKER_LIVES_MS),
  ]);
}

export async function signOff(place: Place, id: string): Promise<void> {
  await Promise.all([
    place.connection.srem(workersKey(place), id),
    place.connection.del(workerKey(place, id)),
  ]);
}

/** The workers that are online. Those that are gone are struck off. */
export async function workersOnline(place: Place): Promise<readonly WorkerCard[]> {
  const { connection } = place;
  const ids = await connection.smembers(workersKey(place));
  const cards = await Promise.all(ids.map((id) => connection.get(workerKey(place, id))));
  const gone = ids.filter((_, at) => cards[at] === null);
  if (gone.length > 0) await connection.srem(workersKey(place), ...gone);
  return cards.flatMap((text) => cardOf(text) ?? []);
}

function cardOf(text: string | null): WorkerCard | null {
  if (text === null) return null;
  try {
    return cardSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
