/** A terminal that is tall enough: what is written to it, and what its user types, as it would stand there. */
export class FakeTerminal {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows = 50;
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.columns = columns;
  }

  /** The lines that hold anything. */
  get lines(): string[] {
    return this.#lines.map((line) => line.trimEnd()).filter((line) => line !== "");
  }

  write(text: string): void {
    // An escape sequence, or a character.
    for (const [sign, count = "", command] of text.matchAll(/\p{Cc}\[\??(\d*)([A-Za-z])|[^]/gu)) {
      if (command === undefined) this.#put(sign);
      else this.#obey(command, Number(count || 1));
    }
  }

  #put(character: string): void {
    if (character === "\n") {
      this.#row += 1;
      this.#column = 0;
      this.#lines[this.#row] ??= "";
      return;
    }
    if (this.#column === this.columns) this.#put("\n");
    const line = (this.#lines[this.#row] ?? "").padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column += 1;
  }

  #obey(command: string, count: number): void {
    const line = this.#lines[this.#row] ?? "";
    if (command === "A") this.#row = Math.max(0, this.#row - count);
    else if (command === "B") this.#row = Math.min(this.#lines.length - 1, this.#row + count);
    else if (command === "G") this.#column = count - 1;
    else if (command === "K")
      this.#lines[this.#row] = count === 2 ? "" : line.slice(0, this.#column);
    else if (command !== "h" && command !== "l") throw new Error(`unknown: ${command}`);
  }
}
