import * as z from "zod";

import type { AnswerSummary } from "../answer-summary.ts";
import type { Completed, Failed, GatewayAnswer, Outcome } from "../outcome.ts";
import type { TokenUsage } from "../tokens.ts";

// What workers send to the owner, as fields of a stream's entry. The gateway's body is a field of
// its own: as JSON inside JSON it would grow, and be read twice.

/** Why a worker thinks that the run should stop. */
export interface Trouble {
  readonly reason: "account" | "outage";
  readonly message: string;
  readonly remedy: string;
}

export type Message =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "trouble"; readonly trouble: Trouble };

/** A schema for every field, the optional ones too: one that is forgotten does not compile. */
type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> };

type Answer = Omit<GatewayAnswer, "body">;
/** Whose answer an item has, and how it failed before, is the owner's to know. */
type Head<T extends Outcome> = Omit<T, "response" | "reused" | "failedAnswers"> & {
  readonly response: T["response"] extends GatewayAnswer ? Answer : Answer | null;
};

const ended = {
  index: z.int().min(0),
  customId: z.string(),
  attempts: z.number(),
  ms: z.number(),
  possiblyBilled: z.number(),
  retries: z.record(z.string(), z.number()),
};

const usage = z.object({
  prompt: z.number(),
  completion: z.number(),
  total: z.number(),
  cached: z.number(),
  reasoning: z.number(),
} satisfies Fields<TokenUsage>);

const summary = z.object({
  model: z.string(),
  finishReason: z.string().nullable(),
  usage: usage.nullable(),
} satisfies Fields<AnswerSummary>);

const answer = z.object({
  status: z.number(),
  requestId: z.string().nullable(),
} satisfies Fields<Answer>);

const error = z.object({
  code: z.string(),
  message: z.string(),
} satisfies Fields<Failed["error"]>);

const headSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("completed"),
    ...ended,
    summary,
    response: answer,
  } satisfies Fields<Head<Completed>>),
  z.object({
    kind: z.literal("failed"),
    ...ended,
    class: z.enum(["item", "retry", "throttled"]),
    response: answer.nullable(),
    error,
  } satisfies Fields<Head<Failed>>),
  z.object({
    kind: z.literal("trouble"),
    reason: z.enum(["account", "outage"]),
    message: z.string(),
    remedy: z.string(),
  } satisfies Fields<Trouble & { readonly kind: "trouble" }>),
]);

const HEAD = "1";
const BODY = "b";

/** The fields of a message: its name is its version, so that a newer one is not misread. */
export function encodeMessage(message: Message): string[] {
  if (message.kind === "trouble") {
    return [HEAD, JSON.stringify({ kind: "trouble", ...message.trouble })];
  }
  const { outcome } = message;
  const { response } = outcome;
  if (response === null) return [HEAD, JSON.stringify(outcome)];
  const { body, ...answer } = response;
  return [HEAD, JSON.stringify({ ...outcome, response: answer }), BODY, body];
}

/** Null where the fields are none of this version. */
export function decodeMessage(fields: readonly string[]): Message | null {
  const [name, head, , body] = fields;
  if (name !== HEAD || head === undefined) return null;
  let read: ReturnType<typeof headSchema.safeParse>;
  try {
    read = headSchema.safeParse(JSON.parse(head));
  } catch {
    return null;
  }
  if (!read.success) return null;
  const { data } = read;
  if (data.kind === "trouble") {
    const { reason, message, remedy } = data;
    return { kind: "trouble", trouble: { reason, message, remedy } };
  }
  if (data.kind === "failed" && data.response === null) {
    return { kind: "outcome", outcome: { ...data, response: null } };
  }
  if (data.response === null || body === undefined) return null;
  return { kind: "outcome", outcome: { ...data, response: { ...data.response, body } } };
}
