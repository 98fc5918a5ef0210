/** Whether a run is held back: paused by somebody, until it is resumed. */
export class Hold {
  readonly #stopping: AbortSignal;
  #paused = new AbortController();
  #signal: AbortSignal;
  #released = Promise.withResolvers<void>();

  /** @param stopping aborts when the sitting ends. */
  constructor(stopping: AbortSignal) {
    this.#stopping = stopping;
    this.#signal = AbortSignal.any([stopping, this.#paused.signal]);
    this.#released.resolve();
  }

  get isOn(): boolean {
    return this.#paused.signal.aborted;
  }

  /** Aborts when no new attempt may start: the sitting ends, or the run is held. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  on(): void {
    if (this.isOn) return;
    this.#released = Promise.withResolvers();
    this.#paused.abort(new Error("the run is paused"));
  }

  off(): void {
    if (!this.isOn) return;
    this.#begin();
    this.#released.resolve();
  }

  /** No new attempt may start for what is in hand now; what comes later is free. */
  letGo(): void {
    if (this.isOn) return;
    const before = this.#paused;
    this.#begin();
    before.abort(new Error("the holds on what was in hand are lost"));
  }

  /** Resolves when it is not held. */
  over(): Promise<void> {
    return this.#released.promise;
  }

  #begin(): void {
    this.#paused = new AbortController();
    this.#signal = AbortSignal.any([this.#stopping, this.#paused.signal]);
  }
}
