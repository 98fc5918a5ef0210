import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import { Call } from "./call.ts";
import { readChatRequest } from "./chat-request.ts";
import { deliver } from "./deliver.ts";
import type { Pace } from "./deliver.ts";
import { faultNamed, markedFault } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { hashFraction } from "./hash.ts";
import { authenticate } from "./keys.ts";
import type { Throttled } from "./limits.ts";
import { composeReply } from "./reply.ts";
import type { ScriptRule } from "./script.ts";
import type { SandboxState } from "./state.ts";
import { tokensOf } from "./tokens.ts";

/** Answers `POST /v1/chat/completions`, checking in new-api's order: key, rate, body, model, balance. */
export function answerChat(
  state: SandboxState,
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
): void {
  const call = new Call(state, request, response);
  if (state.namesRows || text.includes("[[fault:")) call.row = rowOf(request, text);

  const account = authenticate(state.accounts, request.headers.authorization);
  if (typeof account === "string") return call.refuse(account);
  call.account = account;

  const early = account.limiter.enter();
  if (early !== null) return refuseThrottled(call, early);
  call.entered = true;

  const chat = readChatRequest(text);
  if ("problem" in chat) return call.refuse(chat.problem, { detail: chat.detail });
  call.model = chat.model;
  if (!state.models.includes(chat.model)) return call.refuse("model503");
  if (account.models?.includes(chat.model) === false) return call.refuse("403-model");

  const promptTokens = tokensOf(chat.promptWeight);
  const throttled = call.reserveTokens(promptTokens + (chat.maxTokens ?? 0));
  if (throttled !== null) return refuseThrottled(call, throttled);
  const broke = call.precharge(promptTokens, chat.maxTokens ?? 0);
  if (broke !== null) return call.refuse(broke.name, broke);

  call.promptTokens = promptTokens;
  call.attempt = nextAttempt(state, call.row);
  const rule = state.script.next(text);
  const fault = rule === undefined ? chanceOf(state, call, text) : ruleFault(rule);
  call.fault = rule?.status === undefined ? (fault?.name ?? null) : "script";
  const delayMs = rule?.delayMs ?? 0;

  if (rule?.status !== undefined) {
    const status = rule.status;
    state.later(delayMs, () => call.sendScripted(status, rule));
    return;
  }
  if (fault?.kind === "error") {
    state.later(delayMs, () => call.fail(fault.name, chat.stream));
    return;
  }
  const created = Math.floor(state.clock.now() / 1000);
  const composed = composeReply(chat, fault, call.id, created, state);
  deliver(
    {
      response,
      split: state.streamStyle.split ?? false,
      pace: paceOf(
        state,
        call,
        composed.completionTokens,
        fault?.name === "slow" ? delayMs + state.slowMs : delayMs,
      ),
      headers: (contentType, body) => call.headers(contentType, body),
      later: state.later,
      made: () => {
        const sends = composed.reply.kind !== "reset" && composed.reply.kind !== "silence";
        call.settle(sends ? 200 : 0, composed.billed, composed.completionTokens);
      },
    },
    composed.reply,
  );
}

function refuseThrottled(call: Call, { limit, allowed, used, waitMs }: Throttled): void {
  const retry = call.account?.limiter.retryHeaders(waitMs) ?? [];
  const variant = call.account?.limiter.limits.bodyVariant ?? "json";
  const detail = String(call.asked);
  const about = { limit: allowed, used, detail, waitMs, headers: retry };
  if (variant !== "json") call.refuse(`429-${variant}`, about);
  else if (limit === "concurrency") call.refuse("429-concurrency", about);
  else if (limit === "requests") call.refuse("429", about);
  else call.refuse(waitMs === null ? "429-too-large" : "429-tokens", about);
}

/** Half a SHA-256 names a body surely enough, and the ledger of a large run stays small. */
function rowOf(request: IncomingMessage, text: string): string {
  const named = request.headers["x-sandbox-row"];
  return typeof named === "string" ? named : hash("sha256", text).slice(0, 32);
}

function nextAttempt(state: SandboxState, row: string): number {
  if (row === "") return 1;
  const attempt = (state.attempts.get(row) ?? 0) + 1;
  state.attempts.set(row, attempt);
  return attempt;
}

/** A marker in the prompt, else a draw that depends on row and attempt: retries get other draws. */
function chanceOf(state: SandboxState, call: Call, text: string): Fault | undefined {
  const marked = markedFault(text, call.attempt);
  if (marked !== undefined || state.drawFault === null) return marked;
  return state.drawFault(hashFraction(state.seed, `${call.row}#${call.attempt}`));
}

function ruleFault(rule: ScriptRule): Fault | undefined {
  const name = rule.fault ?? rule.stream;
  return name === undefined ? undefined : faultNamed(name);
}

function paceOf(state: SandboxState, call: Call, tokens: number, extraMs: number): Pace {
  const { ttftMs, tokensPerSecond, jitter } = state.latency;
  const restMs = tokensPerSecond === 0 ? 0 : (tokens / tokensPerSecond) * 1000;
  const draw = (name: string): number =>
    hashFraction(state.seed, `${call.row}#${call.attempt}${name}`);
  const firstMs =
    typeof ttftMs === "number" ? ttftMs : ttftMs.min + draw("t") * (ttftMs.max - ttftMs.min);
  if (jitter === 0) return { firstMs: firstMs + extraMs, restMs };
  // Box-Muller: two uniform draws make a normal one.
  const normal = Math.sqrt(-2 * Math.log(1 - draw("a"))) * Math.cos(2 * Math.PI * draw("b"));
  const factor = Math.exp(jitter * normal);
  return { firstMs: firstMs * factor + extraMs, restMs: restMs * factor };
}
