import { createHash } from "node:crypto";

import type { ResolvedJob } from "./resolved-job.ts";

/** What makes a run this run: with any of it changed, its answers would no longer belong together. */
export interface Identity {
  readonly [part: string]: string;
}

/** @param inputSha256 of the input's bytes. */
export function identityOf(job: ResolvedJob, inputSha256: string): Identity {
  return {
    input: inputSha256,
    model: job.model ?? "",
    messages: digest(job.messages),
    params: digest(job.params),
    id: job.id ?? "",
  };
}

/** The parts in which two identities differ, in words. */
export function identityChanges(
  before: Readonly<Record<string, unknown>>,
  now: Identity,
): string[] {
  return Object.keys(now)
    .filter((part) => before[part] !== now[part])
    .map((part) => {
      const [was, is] = [before[part], now[part]];
      return part === "model" || part === "id"
        ? `${part} (was ${JSON.stringify(was)}, now ${JSON.stringify(is)})`
        : part;
    });
}

function digest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

/** JSON with sorted keys: the same value gives the same text however it was written down. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
