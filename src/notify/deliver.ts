import { type Letter, readLetters, removeLetter, writeLetter } from "./outbox.ts";
import { post, type PostOptions } from "./post.ts";
import { signatureOf } from "./signature.ts";

export interface DeliveryParts {
  readonly outbox: string;
  /** Signs what is sent; null leaves it unsigned. */
  readonly secret: string | null;
  readonly proxy: PostOptions["proxy"];
  readonly version: string;
  readonly now: () => number;
}

/** What became of one letter. */
export interface Delivery {
  readonly letter: Letter;
  /** Null when it was acknowledged. */
  readonly problem: string | null;
  readonly isGivenUp: boolean;
}

const TIMEOUT_MS = 10_000;
const AT_ONCE = 8;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
const GIVE_UP_MS = 7 * 24 * 60 * 60_000;

/** Tries what is due once; what is not acknowledged stays, for later. */
export async function deliverDue(parts: DeliveryParts): Promise<Delivery[]> {
  const now = parts.now();
  const letters = await readLetters(parts.outbox);
  const due = letters.filter(({ not_before: from }) => {
    const at = Date.parse(from);
    // A clock that was set back must not hold it for years.
    return at <= now || at - now > LONGEST_PAUSE_MS;
  });
  const deliveries: Delivery[] = [];
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let letter = due.shift(); letter !== undefined; letter = due.shift()) {
      deliveries.push(await deliver(letter, parts));
    }
  });
  await Promise.all(workers);
  return deliveries;
}

async function deliver(letter: Letter, parts: DeliveryParts): Promise<Delivery> {
  const { outbox, secret, proxy, version, now } = parts;
  const { id, url, created_at: createdAt, notice } = letter;
  // The time is in what is signed: whoever records it cannot send it again much later.
  const body = JSON.stringify({
    id,
    ...notice,
    created_at: createdAt,
    sent_at: new Date(now()).toISOString(),
  });
  const problem = await post(url, body, {
    headers: {
      "user-agent": `nightshift/${version}`,
      "x-nightshift-id": id,
      "x-nightshift-event": String(notice["event"]),
      ...(secret !== null && { "x-nightshift-signature": signatureOf(body, secret) }),
    },
    proxy,
    timeoutMs: TIMEOUT_MS,
  });
  if (problem === null) {
    await removeLetter(outbox, letter);
    return { letter, problem, isGivenUp: false };
  }
  const isGivenUp = now() - Date.parse(createdAt) > GIVE_UP_MS;
  if (isGivenUp) await removeLetter(outbox, letter);
  else {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** letter.attempts, LONGEST_PAUSE_MS);
    const notBefore = new Date(now() + pause).toISOString();
    await writeLetter(outbox, { ...letter, attempts: letter.attempts + 1, not_before: notBefore });
  }
  return { letter, problem, isGivenUp };
}
