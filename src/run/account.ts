import type { AccountShare } from "../account-share.ts";
import type { Limits } from "../gateway/limits.ts";
import { openAccountShare } from "../queue/account-share.ts";
import { accountOf } from "../system/account.ts";
import { type LimitsPlace, readLearned, writeLearned } from "../system/learned-limits.ts";
import type { RunOrder, Scene } from "./scene.ts";

/** Whose account it is, and where what is learned of it is kept. */
type Holder = Pick<RunOrder, "access" | "stateDirectory" | "clock">;

/** What is known of the account that a run uses, and who else uses it. */
export interface Account {
  /** What earlier runs found out, where the user does not say better. */
  readonly learned: Limits;
  /** Null without a shared Redis: then nobody else is known of. */
  readonly share: AccountShare | null;
}

/** Looks up what earlier runs learned, and whom the account is shared with. */
export async function openAccount({ order, connection }: Scene): Promise<Account> {
  const account = accountOf(order.access);
  const known = await readLearned(placeOf(order), account);
  return {
    learned: {
      rpm: order.job.rpm === null ? (known?.rpm ?? null) : null,
      tpm: order.job.tpm === null ? (known?.tpm ?? null) : null,
      concurrency: known?.concurrency ?? null,
    },
    // Who calls nobody must not count among those who share the rate.
    share:
      order.redis === null || !order.works
        ? null
        : openAccountShare({ connection, prefix: order.redis.prefix }, account, order.clock),
  };
}

/** Keeps what this run found out for the next one. */
export async function keepLearned(order: Holder, found: Limits): Promise<void> {
  if (found.rpm === null && found.tpm === null && found.concurrency === null) return;
  const account = accountOf(order.access);
  const before = await readLearned(placeOf(order), account);
  await writeLearned(placeOf(order), account, {
    rpm: found.rpm ?? before?.rpm ?? null,
    tpm: found.tpm ?? before?.tpm ?? null,
    concurrency: found.concurrency ?? before?.concurrency ?? null,
  });
}

function placeOf({
  stateDirectory,
  clock,
}: Pick<RunOrder, "stateDirectory" | "clock">): LimitsPlace {
  return { stateDirectory, clock };
}
