import type { Clock } from "../system/clock.ts";

/** What one key did within a tenth of a second. */
export interface Slice {
  /** Wall-clock milliseconds at which it began. */
  readonly at: number;
  /** Requests let in. */
  readonly admitted: number;
  /** Their tokens (prompt and `max_tokens`), less those that were given back in this slice. */
  readonly tokens: number;
  /** Requests turned away, by the limit that did it. */
  readonly refused: Readonly<Record<"requests" | "tokens" | "concurrency", number>>;
  /** Milliseconds times requests in the making: divided by 100 it is the average number in flight. */
  readonly inFlightMs: number;
}

const SLICE_MS = 100;
/** An hour of them. */
const KEPT_SLICES = 36_000;

interface OpenSlice {
  readonly at: number;
  admitted: number;
  tokens: number;
  readonly refused: Record<keyof Slice["refused"], number>;
  inFlightMs: number;
}

/** Remembers for about an hour what a key did and when. */
export class Timeline {
  readonly #clock: Clock;
  #slices: OpenSlice[] = [];
  #inFlight = 0;
  #countedTo = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  entered(): void {
    this.#count();
    this.#inFlight += 1;
  }

  left(): void {
    this.#count();
    this.#inFlight -= 1;
  }

  admitted(tokens: number): void {
    const slice = this.#count();
    slice.admitted += 1;
    slice.tokens += tokens;
  }

  gaveBack(tokens: number): void {
    this.#count().tokens -= tokens;
  }

  refused(limit: keyof Slice["refused"]): void {
    this.#count().refused[limit] += 1;
  }

  /** Oldest first; a tenth of a second in which nothing happened is left out. */
  slices(): Slice[] {
    if (this.#slices.length > 0) this.#count();
    return structuredClone(this.#slices);
  }

  /** Counts who is in flight up to now; the slice of now. */
  #count(): OpenSlice {
    const now = Math.max(this.#countedTo, this.#clock.now());
    while (this.#inFlight > 0 && this.#countedTo < now) {
      const slice = this.#sliceAt(this.#countedTo);
      const until = Math.min(now, slice.at + SLICE_MS);
      slice.inFlightMs += this.#inFlight * (until - this.#countedTo);
      this.#countedTo = until;
    }
    this.#countedTo = now;
    return this.#sliceAt(now);
  }

  /** Time never goes back here, so it is the last one or a new one. */
  #sliceAt(ms: number): OpenSlice {
    const at = Math.floor(ms / SLICE_MS) * SLICE_MS;
    const last = this.#slices.at(-1);
    if (last?.at === at) return last;
    const refused = { requests: 0, tokens: 0, concurrency: 0 };
    const slice: OpenSlice = { at, admitted: 0, tokens: 0, refused, inFlightMs: 0 };
    if (this.#slices.length >= 2 * KEPT_SLICES) this.#slices = this.#slices.slice(-KEPT_SLICES);
    this.#slices.push(slice);
    return slice;
  }
}
