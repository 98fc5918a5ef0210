import { UsageError } from "../errors.ts";
import type { Clock } from "../system/clock.ts";
import { Limiter } from "./limits.ts";
import type { Limits } from "./limits.ts";

/** One API key of the sandbox. */
export interface KeyOptions {
  /** @default the sandbox's own `limits` */
  readonly limits?: Limits;
  /** US dollars that the account has left. @default the sandbox's own `balanceUsd` */
  readonly balanceUsd?: number;
  /** The models that this key may use. @default all */
  readonly models?: readonly string[];
  /** @default false */
  readonly expired?: boolean;
}

/** The keys that every sandbox knows; options can add to them. */
export const SEEDED_KEYS: Readonly<Record<string, KeyOptions>> = {
  "sk-demo": {},
  "sk-rpm60": { limits: { rpm: 60 } },
  "sk-tpm": { limits: { tpm: 20_000 } },
  "sk-broke": { balanceUsd: 0 },
  "sk-lowbalance": { balanceUsd: 0.001 },
  "sk-expired": { expired: true },
  "sk-limited": { models: ["gpt-4o-mini"] },
};

/** A key with its money and its limiter. */
export interface Account {
  readonly masked: string;
  readonly limiter: Limiter;
  readonly models: readonly string[] | null;
  readonly expired: boolean;
  /** US dollars; null where nothing is counted. */
  balanceUsd: number | null;
  spentUsd: number;
}

/** What is the same for all keys that say nothing else. */
export interface KeyDefaults {
  readonly limits: Limits;
  readonly balanceUsd: number | undefined;
}

/** Opens an account for each key, by the part after `sk-`. */
export function openAccounts(
  keys: Readonly<Record<string, KeyOptions>>,
  defaults: KeyDefaults,
  clock: Clock,
): Map<string, Account> {
  return new Map(
    Object.entries(keys).map(([key, options]) => [
      bare(key),
      {
        masked: mask(key),
        limiter: new Limiter(options.limits ?? defaults.limits, clock),
        models: options.models ?? null,
        expired: options.expired ?? false,
        balanceUsd: options.balanceUsd ?? defaults.balanceUsd ?? null,
        spentUsd: 0,
      },
    ]),
  );
}

/**
 * Finds the account that an `Authorization` header names, or the name of the error that answers it.
 * As in new-api "bearer" may be written in any case, `sk-` may be missing, and a further `-` asks for
 * a certain channel, which only administrators may.
 */
export function authenticate(
  accounts: ReadonlyMap<string, Account>,
  authorization: string | undefined,
): Account | "401" | "403-channel" {
  const key = bare((authorization ?? "").replace(/^bearer\s+/i, "").trim());
  const account = accounts.get(key);
  if (account !== undefined) return account.expired ? "401" : account;
  const beforeDash = key.split("-", 1)[0] ?? "";
  return accounts.has(beforeDash) ? "403-channel" : "401";
}

/**
 * The account of a key.
 *
 * @throws UsageError when there is none.
 */
export function accountOf(accounts: ReadonlyMap<string, Account>, key: string): Account {
  const account = accounts.get(bare(key));
  if (account === undefined) throw new UsageError(`The sandbox has no key \`${key}\`.`);
  return account;
}

function bare(key: string): string {
  return key.startsWith("sk-") ? key.slice(3) : key;
}

function mask(key: string): string {
  return `${key.slice(0, 6)}***`;
}
