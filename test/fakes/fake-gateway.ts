import type { ChatOptions, GatewayClient } from "../../src/gateway/client.ts";
import type { Answered, Reply, Unanswered } from "../../src/gateway/reply.ts";
import type { Clock } from "../../src/system/clock.ts";

/** One call that reached the gateway. */
export interface Call {
  /** Counted from 0. */
  readonly number: number;
  readonly body: string;
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly options: ChatOptions;
}

/** A gateway that answers as the test says, on the test's clock. */
export class FakeGateway implements GatewayClient {
  readonly calls: Call[] = [];
  /** Paths that were fetched. */
  readonly gets: string[] = [];
  /** How long each call takes. */
  latencyMs = 100;
  /** What `GET /models` answers. */
  models: Reply = anAnswer(200, JSON.stringify({ data: [{ id: "gpt-4o-mini" }] }));
  inFlight = 0;
  mostInFlight = 0;
  readonly #clock: Clock;
  readonly #script: (call: Call) => Reply;

  constructor(clock: Clock, script: (call: Call) => Reply = () => aCompletion()) {
    this.#clock = clock;
    this.#script = script;
  }

  async chat(body: string, options: ChatOptions): Promise<Reply> {
    const call = { number: this.calls.length, body, at: this.#clock.monotonic(), options };
    this.calls.push(call);
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      await this.#clock.sleep(this.latencyMs, options.signal);
    } finally {
      this.inFlight -= 1;
    }
    return { ...this.#script(call), ms: this.latencyMs };
  }

  get(path: string, { signal }: Omit<ChatOptions, "stream">): Promise<Reply> {
    this.gets.push(path);
    return signal?.aborted === true
      ? Promise.reject(signal.reason as Error)
      : Promise.resolve(this.models);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    return Promise.resolve();
  }
}

export function anAnswer(
  status: number,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): Answered {
  return { kind: "answered", status, headers, body, ms: 100 };
}

export function aCompletion(usage: object = { total_tokens: 10 }): Answered {
  const choice = { index: 0, message: { role: "assistant", content: "Yes." } };
  return anAnswer(
    200,
    JSON.stringify({
      model: "gpt-4o-mini",
      choices: [{ ...choice, finish_reason: "stop" }],
      usage,
    }),
  );
}

/** An error as gateways write them: `{"error":{"code":…,"message":…}}`. */
export function anError(status: number, code: string, message = code): Answered {
  return anAnswer(status, JSON.stringify({ error: { code, message, type: "" } }));
}

export function aSilence(cause: Unanswered["cause"]): Unanswered {
  return { kind: "unanswered", cause, message: cause, ms: 100 };
}
