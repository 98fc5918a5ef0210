import { z } from "zod";

import { UsageError } from "../errors.ts";
import { accountOf } from "./keys.ts";
import type { Account } from "./keys.ts";
import type { Limits } from "./limits.ts";

const changeSchema = z.strictObject({
  key: z.string().exactOptional(),
  rpm: z.number().nonnegative().exactOptional(),
  tpm: z.number().nonnegative().exactOptional(),
  maxConcurrency: z.int().nonnegative().exactOptional(),
  windowMs: z.number().positive().exactOptional(),
  burst: z.number().positive().exactOptional(),
  retryAfter: z.enum(["none", "seconds", "ms", "http-date"]).exactOptional(),
  rateHeaders: z.enum(["none", "openai"]).exactOptional(),
  bodyVariant: z.enum(["json", "empty", "html"]).exactOptional(),
});

/** The limits that a key gets from now on, in place of all it had; without `key`, every key. */
export type LimitsChange = Limits & { readonly key?: string };

/**
 * Changes limits while the sandbox runs.
 *
 * @throws UsageError when this is no change of limits, or there is no such key.
 */
export function changeLimits(accounts: ReadonlyMap<string, Account>, change: unknown): void {
  const { key, ...limits } = parseChange(change);
  for (const account of key === undefined ? accounts.values() : [accountOf(accounts, key)]) {
    account.limiter.change(limits);
  }
}

function parseChange(change: unknown): LimitsChange {
  const parsed = changeSchema.safeParse(change);
  if (!parsed.success) throw new UsageError(`Limits: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
