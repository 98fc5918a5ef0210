import type { GatewayClient } from "../gateway/client.ts";
import { askModels } from "../gateway/preflight.ts";
import type { Verdict } from "../gateway/verdict.ts";
import type { Clock } from "../system/clock.ts";

const LOOK_EVERY_MS = 1_000;

/**
 * Knows whether the gateway works apart from the item that just failed: another item's answer shows
 * it, and where none comes, `GET /v1/models` does.
 */
export class GatewayHealth {
  readonly #client: GatewayClient;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #answers = 0;
  #lookedAt = -Infinity;
  #looking = Promise.resolve();

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
  }

  sawAnswer(): void {
    this.#answers += 1;
  }

  /** Looks for a sign of life, unless that was done just now. Resolves when it is known, and always. */
  look(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt >= LOOK_EVERY_MS) {
      this.#lookedAt = now;
      this.#looking = this.#ask();
    }
    return this.#looking;
  }

  async #ask(): Promise<void> {
    try {
      const { kind } = await askModels(this.#client, this.#clock.now(), this.#signal);
      // That it has no such list is a sign of life too.
      if (kind === "models" || kind === "no-list") this.sawAnswer();
    } catch {
      // The run ends.
    }
  }
}
