import { errorNames, isErrorName } from "./errors.ts";

/** Something that goes wrong with a call on purpose. */
export type Fault =
  /** An error answer from the catalogue in `errors.ts`. */
  | { readonly kind: "error"; readonly name: string }
  /** The answer itself, or the connection, is damaged. */
  | { readonly kind: "damage"; readonly name: Damage }
  /** What can only happen to a stream; other calls are answered as if nothing was wrong. */
  | { readonly kind: "stream"; readonly name: StreamFault };

const DAMAGES = {
  reset: "the connection is reset before a byte of the answer",
  cut: "the connection closes in the middle of the body",
  timeout: "nothing ever comes",
  slow: "the answer comes `slowMs` later",
  garbage: "200 with a body that is no JSON",
  html200: "200 with the console's web page",
  error200: "200 with an error object",
  nochoices: "200 without `choices`",
  emptychoices: '200 with `"choices":[]`',
  nullcontent: '200 with `"content":null`',
  length: "finish_reason `length`",
  content_filter: "finish_reason `content_filter`",
  nousage: "200 without `usage`",
} as const;

/** Damage by name. */
export type Damage = keyof typeof DAMAGES;

const STREAM_FAULTS = {
  F1: "an error as data, then usage and [DONE]",
  F2: "`event: error`, then the end",
  F3: 'data `{"type":"error"}`',
  F4: "a ping, then an error without `data:`",
  F5: "a part, then usage and [DONE], without finish_reason",
  F6: "a part, then the end without [DONE]",
  F7: "a part, then a TCP reset",
  F8: "only a usage chunk and [DONE]",
  F9: "a part, then silence",
} as const;

/** Stream faults by name. */
export type StreamFault = keyof typeof STREAM_FAULTS;

/** The fault of that name, or undefined where there is none. */
export function faultNamed(name: string): Fault | undefined {
  if (Object.hasOwn(DAMAGES, name)) return { kind: "damage", name: name as Damage };
  if (Object.hasOwn(STREAM_FAULTS, name)) return { kind: "stream", name: name as StreamFault };
  return isErrorName(name) ? { kind: "error", name } : undefined;
}

/** All names that {@link faultNamed} knows, apart from bare statuses. */
export function faultNames(): string[] {
  return [...errorNames(), ...Object.keys(DAMAGES), ...Object.keys(STREAM_FAULTS)];
}

const MARKER = /\[\[fault:([\w-]+?)(?:x(\d+))?\]\]/g;

/**
 * The fault that a marker in the prompt asks for: `[[fault:429x2]]` is a 429 for the first two
 * attempts, `[[fault:401]]` one for ever. Several markers follow one another.
 */
export function markedFault(text: string, attempt: number): Fault | undefined {
  if (!text.includes("[[fault:")) return undefined;
  let last = 0;
  for (const [, name = "", times] of text.matchAll(MARKER)) {
    last += times === undefined ? Number.POSITIVE_INFINITY : Number(times);
    if (attempt <= last) return faultNamed(name);
  }
  return undefined;
}
