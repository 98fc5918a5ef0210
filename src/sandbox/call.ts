import type { IncomingMessage, ServerResponse } from "node:http";

import { errorAnswer } from "./errors.ts";
import { goDuration } from "./go-duration.ts";
import { edgeHeaders, profileHeaders, successHeaders } from "./headers.ts";
import type { Account } from "./keys.ts";
import type { Throttled } from "./limits.ts";
import type { Reservation } from "./meter.ts";
import type { ScriptRule } from "./script.ts";
import type { SandboxState } from "./state.ts";

/** What an error answer tells besides its name. */
interface About {
  readonly limit?: number;
  readonly used?: number;
  readonly detail?: string;
  readonly waitMs?: number | null;
  readonly headers?: readonly string[];
}

/** US dollars per token, those of a small model. */
const USD_PER_PROMPT_TOKEN = 0.15 / 1e6;
const USD_PER_COMPLETION_TOKEN = 0.6 / 1e6;

/** The gateway goes on behind an edge that gave up, and bills: these errors cost. */
const BILLED_STATUSES: ReadonlySet<number> = new Set([504, 524]);

/** One chat completion from its arrival to its line in the ledger. */
export class Call {
  readonly id: string;
  row = "";
  attempt = 0;
  model = "";
  fault: string | null = null;
  promptTokens = 0;
  /** Tokens asked for when limits were checked. */
  asked = 0;
  account: Account | null = null;
  /** The limiter let it in and must be told when it leaves. */
  entered = false;
  readonly #state: SandboxState;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #reservation: Reservation | null = null;
  #heldUsd = 0;

  constructor(state: SandboxState, request: IncomingMessage, response: ServerResponse) {
    this.#state = state;
    this.#request = request;
    this.#response = response;
    this.id = state.nextId(state.clock.now());
    state.ledger.open();
  }

  /** Sets tokens aside, or says why not. */
  reserveTokens(tokens: number): Throttled | null {
    this.asked = tokens;
    const reservation = this.account?.limiter.reserve(tokens) ?? null;
    if (reservation !== null && "limit" in reservation) return reservation;
    this.#reservation = reservation;
    return null;
  }

  /** Holds the most that the call may cost, or says why the account cannot pay. */
  precharge(promptTokens: number, maxTokens: number): (About & { readonly name: string }) | null {
    const account = this.account;
    if (account === null || account.balanceUsd === null) return null;
    if (account.balanceUsd <= 0) return { name: "403-balance" };
    const held = priceUsd(promptTokens, maxTokens);
    if (held > account.balanceUsd) {
      return { name: "403-precharge", limit: account.balanceUsd, detail: held.toFixed(6) };
    }
    account.balanceUsd -= held;
    this.#heldUsd = held;
    return null;
  }

  /** Answers with an error of the gateway itself. */
  refuse(name: string, about: About = {}): void {
    this.#sendError(name, about, false);
  }

  /** Answers with an error that came while the upstream was at work. */
  fail(name: string, stream: boolean): void {
    this.#sendError(name, name.startsWith("429") ? { limit: this.#limitOf(name) } : {}, stream);
  }

  /** Answers as a script rule says. */
  sendScripted(status: number, rule: ScriptRule): void {
    const body =
      typeof rule.body === "string" || rule.body === undefined
        ? (rule.body ?? "")
        : JSON.stringify(rule.body);
    this.settle(status, false, 0);
    this.#send(status, "application/json", body, Object.entries(rule.headers ?? {}).flat());
  }

  /** The headers of a successful answer; without a body for one whose length nobody knows. */
  headers(contentType: string, body: string | null): string[] {
    const headers = successHeaders(this.#state.profile, this.id, contentType, body);
    const rates = this.account?.limiter.limits.rateHeaders === "openai";
    return rates ? headers.concat(this.account?.limiter.rateHeaders() ?? []) : headers;
  }

  /** Frees the slot, takes the money and writes the line. A client may leave after that, too. */
  settle(status: number, billed: boolean, completionTokens: number): void {
    const { ledger } = this.#state;
    const account = this.account;
    const usedTokens = billed ? this.promptTokens + completionTokens : 0;
    if (account !== null) {
      if (this.entered) account.limiter.leave();
      if (this.#reservation !== null) account.limiter.settle(this.#reservation, usedTokens);
      const costUsd = billed ? priceUsd(this.promptTokens, completionTokens) : 0;
      if (account.balanceUsd !== null) account.balanceUsd += this.#heldUsd - costUsd;
      account.spentUsd += costUsd;
    }
    const entry = {
      id: this.id,
      key: account?.masked ?? "",
      row: this.row,
      attempt: this.attempt,
      status,
      fault: this.fault,
      promptTokens: this.promptTokens,
      completionTokens: billed ? completionTokens : 0,
      billed,
      gone: this.#response.destroyed,
    };
    ledger.close(entry);
    const silent = this.fault === "timeout" || this.fault === "F9";
    if (silent && !entry.gone) this.#response.once("close", () => ledger.markGone(entry));
  }

  /** A refusal that is a fault names the key's own limit, else one that slows nobody who believes it. */
  #limitOf(name: string): number {
    const { rpm, tpm } = this.account?.limiter.limits ?? {};
    return (name === "429-tokens" ? tpm : rpm) ?? 1_000_000;
  }

  #sendError(name: string, about: About, stream: boolean): void {
    const answer = errorAnswer(name, this.#state.profile, {
      requestId: this.id,
      model: this.model,
      target: `${this.#request.method} ${this.#request.url}`,
      chinese: this.#request.headers["accept-language"]?.startsWith("zh") ?? false,
      limit: about.limit ?? 60,
      used: about.used ?? about.limit ?? 60,
      detail: about.detail ?? "1500",
      tryAgain: goDuration(about.waitMs ?? 150),
    });
    const billed = this.fault !== null && BILLED_STATUSES.has(answer.status);
    this.settle(answer.status, billed, 0);
    // new-api has set the stream's type by then and never takes it back.
    const asStream = stream && answer.contentType.startsWith("application/json");
    const contentType = asStream ? "text/event-stream" : answer.contentType;
    const extra = [...answer.headers, ...(about.headers ?? [])];
    this.#send(answer.status, contentType, answer.body, extra);
  }

  #send(status: number, contentType: string, body: string, extra: readonly string[]): void {
    const response = this.#response;
    if (response.destroyed) return;
    // A page from the edge in front never met the gateway: it carries none of its headers.
    const headers = extra.includes("server")
      ? edgeHeaders(contentType, body)
      : profileHeaders(this.#state.profile, this.id, contentType, body);
    response.writeHead(status, headers.concat(extra));
    response.end(body);
  }
}

function priceUsd(promptTokens: number, completionTokens: number): number {
  return promptTokens * USD_PER_PROMPT_TOKEN + completionTokens * USD_PER_COMPLETION_TOKEN;
}
