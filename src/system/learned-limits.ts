// What runs learned of an account's limits, kept on this machine for the next run to begin with.
// It only saves time: whatever is wrong with the file, nothing was learned, and no run fails by it.
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as z from "zod";

import type { Clock } from "./clock.ts";

/** Where limits are kept, and what tells their age. */
export interface LimitsPlace {
  /** Null keeps nothing. */
  readonly stateDirectory: string | null;
  readonly clock: Clock;
}

const limit = z.number().positive().nullable();
const limitsSchema = z.object({
  /** Requests per minute; null where no limit showed. */
  rpm: limit,
  /** Tokens per minute; null where no limit showed. */
  tpm: limit,
  /** Calls in flight at once; null where no limit showed. */
  concurrency: limit,
  learnedAt: z.iso.datetime(),
});
const fileSchema = z.object({ accounts: z.record(z.string(), z.unknown()) });

/** What was learned of an account's limits. */
export type LearnedLimits = Readonly<z.infer<typeof limitsSchema>>;

type Accounts = ReadonlyMap<string, LearnedLimits>;

const FILE = "limits.json";
const MOST_ACCOUNTS = 100;
const MOST_AGE_MS = 30 * 24 * 60 * 60_000;

/**
 * What the last run learned of an account in the last 30 days, else null.
 *
 * @param account as `accountOf` names it.
 */
export async function readLearned(
  place: LimitsPlace,
  account: string,
): Promise<LearnedLimits | null> {
  return (await readAccounts(place)).get(account) ?? null;
}

/**
 * Keeps what a run learned of an account; of more than 100 accounts the oldest are dropped.
 *
 * @param account as `accountOf` names it.
 */
export async function writeLearned(
  place: LimitsPlace,
  account: string,
  limits: Omit<LearnedLimits, "learnedAt">,
): Promise<void> {
  if (place.stateDirectory === null) return;
  const learnedAt = new Date(place.clock.now()).toISOString();
  const { rpm, tpm, concurrency } = limits;
  const accounts = new Map(await readAccounts(place));
  accounts.set(account, { rpm, tpm, concurrency, learnedAt });
  const newest = [...accounts]
    .sort(([, a], [, b]) => Date.parse(b.learnedAt) - Date.parse(a.learnedAt))
    .slice(0, MOST_ACCOUNTS);
  try {
    await replace(place.stateDirectory, { accounts: Object.fromEntries(newest) });
  } catch {
    // The next run learns again.
  }
}

async function readAccounts({ stateDirectory, clock }: LimitsPlace): Promise<Accounts> {
  if (stateDirectory === null) return new Map();
  try {
    const text = await readFile(join(stateDirectory, FILE), "utf8");
    const { accounts } = fileSchema.parse(JSON.parse(text));
    return new Map(
      Object.entries(accounts).flatMap(([account, value]) => {
        const { data: limits } = limitsSchema.safeParse(value);
        return limits !== undefined && isFresh(limits, clock) ? [[account, limits]] : [];
      }),
    );
  } catch {
    return new Map();
  }
}

/** One from the future was written by a clock that was wrong: it would never grow old. */
function isFresh({ learnedAt }: LearnedLimits, clock: Clock): boolean {
  return Math.abs(clock.now() - Date.parse(learnedAt)) <= MOST_AGE_MS;
}

/** A reader sees the old file or the new one; of two writers at once, the later wins. */
async function replace(directory: string, content: object): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `${FILE}.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    await rename(temporary, join(directory, FILE));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
