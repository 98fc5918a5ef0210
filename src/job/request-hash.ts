import { hash } from "node:crypto";

/** What two requests are compared by, and what a warning may need to know of one. */
export interface ReadRequest {
  /** {@link HASH_BYTES} of SHA-256 over the request in one canonical spelling. */
  readonly hash: Buffer;
  /** Null where the request does not say. */
  readonly temperature: number | null;
}

/** 128 bits: among a thousand million requests no two different ones meet by chance. */
export const HASH_BYTES = 16;

/** Fields that label a request and do not change what is answered. */
const LABELS: ReadonlySet<string> = new Set([
  "metadata",
  "prompt_cache_key",
  "safety_identifier",
  "store",
  "user",
]);

/**
 * Reads a request for comparison. The order of its fields and the spelling of its numbers do not
 * count, nor do labels; everything else does.
 *
 * @param body of the request, as JSON text.
 */
export function readRequest(body: string): ReadRequest {
  const request = JSON.parse(body) as Readonly<Record<string, unknown>>;
  const { temperature } = request;
  const text = canonicalObject(request, (key) => !LABELS.has(key));
  return {
    hash: hash("sha256", text, "buffer").subarray(0, HASH_BYTES),
    temperature: typeof temperature === "number" ? temperature : null,
  };
}

function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return canonicalObject(value as Readonly<Record<string, unknown>>);
}

function canonicalObject(
  object: Readonly<Record<string, unknown>>,
  counts: (key: string) => boolean = () => true,
): string {
  let text = "";
  for (const key of Object.keys(object).sort()) {
    if (!counts(key)) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonical(object[key])}`;
  }
  return `{${text}}`;
}
