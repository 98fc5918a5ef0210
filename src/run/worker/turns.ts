import type { Governor, Permit } from "../../gateway/governor.ts";

/** Whoever waits for a turn: a run. */
type Line = object;

/**
 * A worker's calls at once, given to its runs in turn: a run with a million items that wait gets no
 * more of them than one with a hundred, as long as both have some.
 */
export class Turns {
  readonly #size: number;
  /** Those who wait, by run; the run that is next comes first. */
  readonly #lines = new Map<Line, Set<() => void>>();
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Resolves when a turn is the caller's; it must call {@link free} once. */
  async take(line: Line, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#taken < this.#size) {
      this.#taken += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting = this.#lines.get(line) ?? new Set();
      this.#lines.set(line, waiting);
      const go = (): void => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = (): void => {
        waiting.delete(go);
        if (waiting.size === 0 && this.#lines.get(line) === waiting) this.#lines.delete(line);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      waiting.add(go);
    });
  }

  free(): void {
    this.#taken -= 1;
    const [next] = this.#lines;
    if (next === undefined) return;
    const [line, waiting] = next;
    const [go] = waiting;
    this.#lines.delete(line);
    if (go === undefined) return;
    waiting.delete(go);
    // Who has been served goes to the end.
    if (waiting.size > 0) this.#lines.set(line, waiting);
    this.#taken += 1;
    go();
  }
}

/** The governor as one run among several sees it: its calls also wait for the run's turn. */
export function inTurn(
  governor: Governor,
  turns: Turns,
  line: Line,
): Pick<Governor, "enter" | "countsTokens"> {
  return {
    get countsTokens() {
      return governor.countsTokens;
    },
    enter: async (tokens, signal): Promise<Permit> => {
      await turns.take(line, signal);
      try {
        const permit = await governor.enter(tokens, signal);
        return {
          ...permit,
          free: () => {
            permit.free();
            turns.free();
          },
        };
      } catch (error) {
        turns.free();
        throw error;
      }
    },
  };
}
