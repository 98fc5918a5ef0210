import { answerTo } from "./answer.ts";
import type { AnswerTemplate } from "./answer.ts";
import type { ChatRequest } from "./chat-request.ts";
import { completionJson } from "./completion.ts";
import type { Completion, Omission } from "./completion.ts";
import type { Profile } from "./error-answer.ts";
import type { Damage, Fault } from "./fault.ts";
import { CONSOLE_PAGE } from "./pages.ts";
import { streamOf } from "./stream.ts";
import type { StreamScript, StreamStyle, StreamTrouble } from "./stream.ts";
import { cutToTokens, tokensOf, weigh } from "./tokens.ts";

/** What goes over the wire for a call that reached the model. */
export type Reply =
  | { readonly kind: "whole"; readonly contentType: string; readonly body: string }
  /** Closes in the middle of the body. */
  | { readonly kind: "cut"; readonly body: string }
  | { readonly kind: "reset" }
  | { readonly kind: "silence" }
  | ({ readonly kind: "stream" } & StreamScript);

/** A reply and what it costs. */
export interface Composed {
  readonly reply: Reply;
  readonly billed: boolean;
  readonly completionTokens: number;
}

/** What a reply depends on besides the request. */
export interface ReplySetup {
  readonly seed: number;
  readonly template: AnswerTemplate;
  readonly profile: Profile;
  readonly streamStyle: StreamStyle;
}

/** Composes the reply to a request, damaged as the fault says. */
export function composeReply(
  chat: ChatRequest,
  fault: Exclude<Fault, { kind: "error" }> | undefined,
  requestId: string,
  created: number,
  setup: ReplySetup,
): Composed {
  const damage = fault?.kind === "damage" ? fault.name : undefined;
  const completion = complete(chat, damage, requestId, created, setup);
  const { completionTokens } = completion;
  const nothing = withoutCompletion(damage, completionTokens);
  if (nothing !== undefined) return nothing;
  if (!chat.stream) {
    const body = completionJson(completion, omissionOf(damage));
    const reply: Reply = damage === "cut" ? { kind: "cut", body } : whole(body);
    return { reply, billed: true, completionTokens };
  }
  const trouble = fault?.kind === "stream" ? fault.name : troubleOf(damage);
  const stream = streamOf(
    completion,
    damage !== "nousage" && wantsUsage(chat, setup.profile),
    setup.streamStyle,
    trouble,
  );
  return {
    reply: { kind: "stream", ...stream },
    billed: trouble === undefined || !UNBILLED_TROUBLES.has(trouble),
    completionTokens,
  };
}

/** Damage that leaves nothing of the completion. */
function withoutCompletion(
  damage: Damage | undefined,
  completionTokens: number,
): Composed | undefined {
  const free = { billed: false, completionTokens: 0 };
  const paid = { billed: true, completionTokens };
  if (damage === "reset") return { reply: { kind: "reset" }, ...free };
  if (damage === "timeout") return { reply: { kind: "silence" }, ...paid };
  if (damage === "garbage") return { reply: whole("upstream says: <nil>\n"), ...paid };
  if (damage === "html200") return { reply: whole(CONSOLE_PAGE, HTML), ...free };
  if (damage === "error200") return { reply: whole(ERROR_BODY), ...free };
  return undefined;
}

const HTML = "text/html; charset=utf-8";

const ERROR_BODY =
  '{"error":{"message":"The server had an error while processing your request","type":"server_error","param":"","code":"server_error"}}';

/** The upstream said no before it said anything that could be charged for. */
const UNBILLED_TROUBLES: ReadonlySet<StreamTrouble> = new Set(["F2", "F3", "F4"]);

function whole(body: string, contentType = "application/json"): Reply {
  return { kind: "whole", contentType, body };
}

function complete(
  chat: ChatRequest,
  damage: Damage | undefined,
  requestId: string,
  created: number,
  setup: ReplySetup,
): Completion {
  const promptTokens = tokensOf(chat.promptWeight);
  const base = { requestId, created, model: chat.model, promptTokens };
  if (damage === "nullcontent") {
    return { ...base, content: null, finishReason: "stop", completionTokens: 0 };
  }
  const content = answerTo(chat, setup.template, setup.seed);
  const tokens = tokensOf(weigh(content));
  if (chat.maxTokens !== null && tokens > chat.maxTokens) {
    const cut = cutToTokens(content, chat.maxTokens);
    return { ...base, content: cut, finishReason: "length", completionTokens: chat.maxTokens };
  }
  const finishReason = damage === "length" || damage === "content_filter" ? damage : "stop";
  return { ...base, content, finishReason, completionTokens: tokens };
}

function omissionOf(damage: Damage | undefined): Omission {
  if (damage === "nousage") return "usage";
  if (damage === "nochoices") return "choices";
  return damage === "emptychoices" ? "every choice" : "nothing";
}

function troubleOf(damage: Damage | undefined): StreamTrouble | undefined {
  if (damage === "cut") return "cut";
  return damage === "nochoices" || damage === "emptychoices" ? "F8" : undefined;
}

/** new-api sends usage unless told not to; OpenAI only when asked. */
function wantsUsage(chat: ChatRequest, profile: Profile): boolean {
  return profile === "openai" ? chat.includeUsage === true : chat.includeUsage !== false;
}
