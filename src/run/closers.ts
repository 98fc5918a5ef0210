/** What a run has opened, closed in reverse order whatever happens on the way. */
export class Closers {
  readonly #closers: (() => Promise<void>)[] = [];

  add(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Closes everything; one that fails does not keep the others open. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch {
        // It was being thrown away: there is nobody whom its failure would help.
      }
    }
  }
}
