import type { GatewayClient } from "../gateway/client.ts";
import { askModels } from "../gateway/preflight.ts";
import type { Verdict } from "../gateway/verdict.ts";
import type { Clock } from "../system/clock.ts";

const CHECK_EVERY_MS = 5_000;

/**
 * Knows whether the gateway works apart from the item that just failed: another item's answer shows
 * it, and where none comes, `GET /v1/models` does.
 */
export class GatewayHealth {
  readonly #client: GatewayClient;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #answers = 0;
  #lastAnswerAt = -Infinity;
  #lastCheckAt = -Infinity;

  constructor(client: GatewayClient, clock: Clock, signal: AbortSignal) {
    this.#client = client;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Signs of life so far. */
  get answersSeen(): number {
    return this.#answers;
  }

  note(verdict: Verdict): void {
    if (verdict.class === "completed") this.sawAnswer();
    // A throttled item is to blame only while others complete: the list of models says nothing there.
    else if (verdict.class === "retry" || verdict.class === "pause-run") this.#checkSoon();
  }

  sawAnswer(): void {
    this.#answers += 1;
    this.#lastAnswerAt = this.#clock.monotonic();
  }

  #checkSoon(): void {
    const now = this.#clock.monotonic();
    const isRecent = (at: number): boolean => now - at < CHECK_EVERY_MS;
    if (isRecent(this.#lastAnswerAt) || isRecent(this.#lastCheckAt)) return;
    this.#lastCheckAt = now;
    askModels(this.#client, this.#clock.now(), this.#signal)
      .then((answer) => {
        // That it has no such list is a sign of life too.
        if (answer.kind === "models" || answer.kind === "no-list") this.sawAnswer();
      })
      .catch(() => {});
  }
}
