import { isRecord, textOf, type JsonRecord } from "./json.ts";

/** Makes one `chat.completion` of the `chat.completion.chunk`s of a streamed answer. */
export interface ChunkMerger {
  /** Takes a parsed chunk; false where it is none. */
  add(chunk: unknown): boolean;
  /** Whether every choice seen so far has its finish_reason. */
  readonly finished: boolean;
  /** The completion as JSON text, whole or not. */
  body(): string;
}

interface Choice {
  readonly message: Record<string, unknown>;
  readonly toolCalls: Map<number, ToolCall>;
  logprobs: Record<string, unknown> | null;
  finishReason: string | null;
}

interface ToolCall {
  id: string | null;
  type: string;
  readonly function: { name: string | null; arguments: string };
}

const ENVELOPE = ["id", "created", "model", "system_fingerprint", "service_tier", "usage"] as const;

/** Starts with nothing. */
export function createChunkMerger(): ChunkMerger {
  const envelope: Partial<Record<(typeof ENVELOPE)[number], unknown>> = {};
  const choices = new Map<number, Choice>();

  return {
    add(chunk) {
      if (!isRecord(chunk) || !Array.isArray(chunk["choices"])) return false;
      // The usage chunk of some gateways has an empty id and model: what was known stays.
      for (const name of ENVELOPE) envelope[name] = chunk[name] || envelope[name];
      for (const [position, part] of (chunk["choices"] as unknown[]).entries()) {
        if (isRecord(part)) mergeChoice(entry(choices, indexOf(part, position), newChoice), part);
      }
      return true;
    },
    get finished() {
      return choices.size > 0 && [...choices.values()].every((choice) => choice.finishReason);
    },
    body() {
      return JSON.stringify({
        ...envelope,
        object: "chat.completion",
        choices: inOrder(choices).map(([index, choice]) => whole(index, choice)),
        usage: envelope.usage ?? null,
      });
    },
  };
}

function mergeChoice(choice: Choice, part: JsonRecord): void {
  const delta = part["delta"] ?? part["message"];
  if (isRecord(delta)) mergeDelta(choice, delta);
  if (isRecord(part["logprobs"])) choice.logprobs = joinLists(choice.logprobs, part["logprobs"]);
  choice.finishReason = textOf(part["finish_reason"]) ?? choice.finishReason;
}

// By name where it matters, so that fields of a vendor's own (`reasoning_content`) come through.
function mergeDelta(choice: Choice, delta: JsonRecord): void {
  const { message } = choice;
  for (const [name, value] of Object.entries(delta)) {
    if (name === "tool_calls" && Array.isArray(value)) mergeToolCalls(choice.toolCalls, value);
    else if (name === "role" || typeof value !== "string") message[name] = value ?? message[name];
    else message[name] = (textOf(message[name]) ?? "") + value;
  }
}

function mergeToolCalls(calls: Map<number, ToolCall>, deltas: readonly unknown[]): void {
  for (const [position, delta] of deltas.entries()) {
    if (!isRecord(delta)) continue;
    const call = entry(calls, indexOf(delta, position), newToolCall);
    // Only the arguments come in pieces; the rest is repeated by some gateways.
    call.id ??= textOf(delta["id"]);
    call.type = textOf(delta["type"]) ?? call.type;
    if (!isRecord(delta["function"])) continue;
    call.function.name ??= textOf(delta["function"]["name"]);
    call.function.arguments += textOf(delta["function"]["arguments"]) ?? "";
  }
}

function joinLists(before: JsonRecord | null, next: JsonRecord): Record<string, unknown> {
  const lists: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(next)) {
    const had = lists[name];
    lists[name] = Array.isArray(had) ? (had as unknown[]).concat(value ?? []) : value;
  }
  return lists;
}

function whole(index: number, choice: Choice): JsonRecord {
  const calls = inOrder(choice.toolCalls).map(([, call]) => call);
  return {
    index,
    message: calls.length === 0 ? choice.message : { ...choice.message, tool_calls: calls },
    logprobs: choice.logprobs,
    finish_reason: choice.finishReason,
  };
}

function newChoice(): Choice {
  return {
    message: { role: "assistant", content: null, refusal: null },
    toolCalls: new Map(),
    logprobs: null,
    finishReason: null,
  };
}

function newToolCall(): ToolCall {
  return { id: null, type: "function", function: { name: null, arguments: "" } };
}

function entry<T>(map: Map<number, T>, index: number, create: () => T): T {
  const existing = map.get(index);
  if (existing !== undefined) return existing;
  const created = create();
  map.set(index, created);
  return created;
}

function inOrder<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}

// Where a gateway leaves the index out, the position stands in for it.
function indexOf(part: JsonRecord, position: number): number {
  return typeof part["index"] === "number" ? part["index"] : position;
}
