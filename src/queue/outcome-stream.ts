import type { Connection } from "./connection.ts";
import { infoKey, jobId, outcomesKey, runBase, type RunPlace } from "./keys.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";

/** Read at once: what is answered between two syncs of the disk, and no more than memory bears. */
const MOST_READ = 250;

/**
 * Only a run that is over takes nothing: whatever came before is there already, and nobody would
 * ever read it. An item that was handed back meanwhile need not be asked again.
 */
const DELIVER = `
if redis.call("HGET", KEYS[1], "state") == "ended" then return 0 end
local base, id, token = KEYS[3], ARGV[1], ARGV[2]
redis.call("XADD", KEYS[2], "*", unpack(ARGV, 3))
if id ~= "" and redis.call("GET", base .. ":" .. id .. ":lock") ~= token then
  if redis.call("LREM", base .. ":wait", 0, id) > 0 then redis.call("DEL", base .. ":" .. id) end
end
return 1
`;

interface Scripted {
  nightshiftDeliver(
    info: string,
    outcomes: string,
    base: string,
    ...args: readonly string[]
  ): Promise<number>;
}

/**
 * Sends a message to the owner of a run. It waits through a lost connection; a message may arrive
 * twice then.
 *
 * @param token of the handing out, where it is an item's outcome.
 */
export async function deliver(place: RunPlace, message: Message, token = ""): Promise<void> {
  const { connection } = place;
  connection.defineCommand("nightshiftDeliver", { numberOfKeys: 3, lua: DELIVER });
  // ioredis makes the method at run time.
  const scripted = connection as Connection & Scripted;
  const id = message.kind === "outcome" ? jobId(message.outcome.index) : "";
  const keys = [infoKey(place), outcomesKey(place), runBase(place)] as const;
  await scripted.nightshiftDeliver(...keys, id, token, ...encodeMessage(message));
}

/** What workers have sent, until it is taken out. */
export interface OutcomeStream {
  /** Up to 250 messages, oldest first; where there is none, waits that long for one. */
  read(waitMs: number): Promise<readonly Entry[]>;
  /** The same at once, over a connection that waits for nothing. */
  look(): Promise<readonly Entry[]>;
  /** What these say is safe elsewhere. */
  remove(entries: readonly Entry[]): Promise<void>;
  close(): void;
}

export interface Entry {
  readonly id: string;
  /** Null where a version sent it that this one does not understand. */
  readonly message: Message | null;
}

/** How many messages wait for the owner. */
export function countOutcomes(place: RunPlace): Promise<number> {
  return place.connection.xlen(outcomesKey(place));
}

type RawEntry = [id: string, fields: string[]];

/**
 * Opens a run's stream for its one reader. It always reads from the beginning: what is in the
 * stream is what was not recorded, whatever became of Redis and its clock.
 */
export function openOutcomeStream(place: RunPlace): OutcomeStream {
  const { connection } = place;
  const key = outcomesKey(place);
  // A read that waits would hold up everything else.
  const waiting = connection.duplicate();
  waiting.on("error", () => {});
  return {
    read: async (waitMs) => {
      const streams = await waiting.xread("COUNT", MOST_READ, "BLOCK", waitMs, "STREAMS", key, "0");
      return (streams?.[0]?.[1] ?? []).map(entryOf);
    },
    look: async () => {
      const entries = await connection.xrange(key, "-", "+", "COUNT", MOST_READ);
      return entries.map(entryOf);
    },
    remove: async (entries) => {
      if (entries.length > 0) await connection.xdel(key, ...entries.map(({ id }) => id));
    },
    close: () => waiting.disconnect(),
  };
}

function entryOf([id, fields]: RawEntry): Entry {
  return { id, message: decodeMessage(fields) };
}
