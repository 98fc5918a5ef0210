import { messageOf } from "../errors.ts";
import type { Outcome } from "../outcome.ts";
import type { Trouble } from "../queue/message.ts";
import type { Entry, OutcomeStream } from "../queue/outcome-stream.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";

/** How long one look at an empty stream lasts. */
const WAIT_MS = 2_000;
const PAUSE_AFTER_ERROR_MS = 500;

export interface InboxParts {
  readonly stream: OutcomeStream;
  /** Resolves when the outcome is safely on disk. */
  readonly record: (outcome: Outcome) => Promise<void>;
  readonly onTrouble: (trouble: Trouble) => void;
  /** What cannot be recorded stays where it is. */
  readonly onUnrecorded: (error: unknown) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Brings what workers elsewhere have sent into the ledger, and only then out of Redis. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #closed = new AbortController();
  #reading: Promise<void> | undefined;
  #isOpen = false;
  /** Outcomes that came from elsewhere. */
  #received = 0;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  get received(): number {
    return this.#received;
  }

  /** Reads on, until it is closed. */
  start(): void {
    this.#isOpen = true;
    this.#reading ??= this.#read();
  }

  /** Resolves when everything is recorded that is there now. */
  async caughtUp(): Promise<void> {
    const { stream } = this.#parts;
    for (;;) {
      const entries = await stream.look();
      if (entries.length === 0) return;
      await this.#take(entries);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#parts.stream.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { stream, clock, log } = this.#parts;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      let entries: readonly Entry[];
      try {
        entries = await stream.read(WAIT_MS);
      } catch (error) {
        if (signal.aborted) return;
        log.debug({ event: "inbox.error", error: messageOf(error) }, "could not read outcomes");
        await clock.sleep(PAUSE_AFTER_ERROR_MS, signal).catch(() => {});
        continue;
      }
      try {
        await this.#take(entries);
      } catch (error) {
        // The closing sitting drains it once more, where it can.
        this.#parts.onUnrecorded(error);
        return;
      }
    }
  }

  async #take(entries: readonly Entry[]): Promise<void> {
    const { stream, log } = this.#parts;
    await Promise.all(entries.map((entry) => this.#receive(entry)));
    try {
      await stream.remove(entries);
    } catch (error) {
      // They come again, and are known then.
      log.debug({ event: "inbox.error", error: messageOf(error) }, "could not take outcomes out");
    }
  }

  async #receive({ message }: Entry): Promise<void> {
    const { record, onTrouble, log } = this.#parts;
    if (message === null) {
      log.warn(
        { event: "message.unknown" },
        "a worker of another version sent something unknown: its item is asked again",
      );
    } else if (message.kind === "outcome") {
      this.#received += 1;
      await record(message.outcome);
    }
    // What stopped an earlier sitting may have been mended since.
    else if (this.#isOpen) onTrouble(message.trouble);
  }
}
