import type { Dispatcher } from "undici";

import type { Clock } from "../system/clock.ts";
import { connectionCause, connectionMessage } from "./connection-failure.ts";
import type { Reply, Unanswered } from "./reply.ts";
import { createStreamReader, type StreamReader } from "./sse.ts";

/** What one answer may take. */
export interface Limits {
  readonly silenceMs: number;
  readonly totalMs: number;
  readonly maxBytes: number;
  /** Whether an event stream was asked for. */
  readonly stream: boolean;
}

/** A shorter key is a mere word, for a gateway that asks for none: answers may well hold it. */
const SHORTEST_SECRET = 12;

type RawHeaders = Record<string, string | string[] | undefined>;

/** One request and its answer: what undici reports about it becomes one {@link Reply}. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #limits: Limits;
  readonly #apiKey: string | null;
  readonly #clock: Clock;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #startedAt: number;
  #heardAt: number;
  #controller: Dispatcher.DispatchController | null = null;
  #signal: AbortSignal | undefined;
  #stopTimer: () => void = () => undefined;
  #settled = false;
  #status = 0;
  #headers: RawHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #reader: StreamReader | null = null;

  constructor(
    limits: Limits,
    apiKey: string | null,
    clock: Clock,
    resolve: (reply: Reply) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#limits = limits;
    this.#apiKey = apiKey;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#startedAt = this.#heardAt = clock.monotonic();
  }

  /** Starts the watch; false where the signal had already been aborted. */
  begin(signal: AbortSignal | undefined): boolean {
    if (signal?.aborted === true) {
      this.#reject(signal.reason);
      return false;
    }
    this.#signal = signal;
    signal?.addEventListener("abort", this);
    this.#watch();
    return true;
  }

  /** The caller's signal was aborted. */
  handleEvent(): void {
    if (this.#end()) this.#reject(this.#signal?.reason);
    this.#breakOff();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection.
    if (this.#settled) this.#breakOff();
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: RawHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    if (this.#limits.stream && status === 200) this.#reader = createStreamReader();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.maxBytes) {
      this.#giveUp("too-large", `the answer is larger than ${this.#limits.maxBytes} bytes`);
    } else if (this.#reader === null) {
      this.#chunks.push(chunk);
    } else if (this.#reader.push(chunk)) {
      this.#heardAt = this.#clock.monotonic();
    }
  }

  onResponseEnd(): void {
    this.#answer();
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    const progress = { sent: this.#controller !== null, answering: this.#status > 0 };
    this.#fail(connectionCause(error, progress), connectionMessage(error));
  }

  /** One timer for both limits: when it fires too early, because something was heard, it is set again. */
  #watch(): void {
    const { silenceMs, totalMs } = this.#limits;
    const now = this.#clock.monotonic();
    const left = Math.min(this.#heardAt + silenceMs, this.#startedAt + totalMs) - now;
    if (left > 0) this.#stopTimer = this.#clock.after(left, () => this.#watch());
    else if (this.#controller === null) this.#giveUp("connect-timeout", "no connection came free");
    else this.#giveUp("timeout", `no answer after ${Math.round((now - this.#startedAt) / 1000)} s`);
  }

  #giveUp(cause: Unanswered["cause"], message: string): void {
    this.#fail(cause, message);
    this.#breakOff();
  }

  #fail(cause: Unanswered["cause"], message: string): void {
    // A streamed answer that was whole when its connection failed is paid for, and good.
    if (this.#reader?.settled === true) this.#answer();
    else if (this.#end()) this.#resolve({ kind: "unanswered", cause, message, ms: this.#ms() });
  }

  #answer(): void {
    if (!this.#end()) return;
    this.#resolve({
      kind: "answered",
      status: this.#status,
      headers: joinedHeaders(this.#headers),
      body: this.#withoutKey(this.#reader?.end() ?? textOf(this.#chunks, this.#bytes)),
      ms: this.#ms(),
    });
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#stopTimer();
    this.#signal?.removeEventListener("abort", this);
    return true;
  }

  #breakOff(): void {
    this.#controller?.abort(new Error("given up"));
  }

  #ms(): number {
    return Math.round(this.#clock.monotonic() - this.#startedAt);
  }

  // Some gateways quote the key that they refuse, now and then in a 200.
  #withoutKey(body: string): string {
    return this.#apiKey === null || this.#apiKey.length < SHORTEST_SECRET
      ? body
      : body.replaceAll(this.#apiKey, "***");
  }
}

function joinedHeaders(headers: RawHeaders): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== "string") headers[name] = value?.join(", ") ?? "";
  }
  return headers as Record<string, string>;
}

function textOf(chunks: readonly Buffer[], bytes: number): string {
  const [first] = chunks;
  if (first === undefined) return "";
  const text = (chunks.length === 1 ? first : Buffer.concat(chunks, bytes)).toString();
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
