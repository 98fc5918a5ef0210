interface Sample {
  readonly at: number;
  readonly ended: number;
  readonly tokens: number;
}

const WINDOW_MS = 15_000;

/** The rate of the last seconds, from totals noted now and then. */
export class RateMeter {
  readonly #samples: Sample[] = [];

  /** @param at monotonic milliseconds. */
  note(at: number, ended: number, tokens: number): void {
    this.#samples.push({ at, ended, tokens });
    while ((this.#samples[1]?.at ?? Infinity) <= at - WINDOW_MS) this.#samples.shift();
  }

  /** Items and tokens per second; zero before there are two notes. */
  get rates(): { readonly items: number; readonly tokens: number } {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) {
      return { items: 0, tokens: 0 };
    }
    const seconds = (last.at - first.at) / 1000;
    return {
      items: (last.ended - first.ended) / seconds,
      tokens: (last.tokens - first.tokens) / seconds,
    };
  }
}
