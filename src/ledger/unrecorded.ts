import type { ItemTable } from "./item-table.ts";

/** Tokens of one call: used, or at most. */
export type CallTokens = readonly [prompt: number, completion: number];
/** What a call used or may have used. */
interface Kept {
  readonly tokens: CallTokens;
  /** Its answer goes to results.jsonl, and with it the price of the call, if calls have one. */
  readonly answered: boolean;
}
/** Tokens of several calls. */
export type Sum = readonly [prompt: number, completion: number, calls: number];

/** One line of `budget.jsonl`. */
export type CallLine =
  /**
   * What calls cost that no other file tells, by model: the first line of all calls up to then, a
   * later one of some that were made elsewhere.
   */
  | {
      readonly run: string;
      readonly requests: number;
      readonly spent: Readonly<Record<string, Sum>>;
    }
  /** A call is about to be sent, and may use so much. */
  | { readonly index: number; readonly model: string; readonly sent: CallTokens }
  /** It used so much, and results.jsonl is about to tell. */
  | { readonly index: number; readonly recorded: CallTokens }
  /** It used or may have used so much, and no other file tells; `answered`: but of the call itself. */
  | {
      readonly index: number;
      readonly model: string;
      readonly kept: CallTokens;
      readonly answered?: true;
    }
  /** The gateway did not let it through. */
  | { readonly index: number; readonly throttled: true };

interface Entry {
  readonly model: string;
  /** The call in flight. */
  sent: CallTokens | null;
  recorded: CallTokens | null;
  kept: Kept[];
}

/** US dollars for tokens of some calls of a model. */
export type UsdOf = (model: string, prompt: number, completion: number, calls: number) => number;

/**
 * What calls cost, or may have cost, that the ledger of outcomes does not tell: those in flight,
 * those that brought no answer, those of a process that died.
 */
export class Unrecorded {
  #requests = 0;
  readonly #spent = new Map<string, Sum>();
  readonly #items = new Map<number, Entry>();

  /** All calls of the run, those that were throttled apart. */
  get requests(): number {
    return this.#requests;
  }

  get tokens(): number {
    return this.#sums().reduce((sum, [, [prompt, completion]]) => sum + prompt + completion, 0);
  }

  usd(usdOf: UsdOf): number {
    return this.#sums().reduce((sum, [model, tokens]) => sum + usdOf(model, ...tokens), 0);
  }

  /**
   * Takes note of a line.
   *
   * @returns prompt tokens by which earlier calls of the item count for less than before: they
   *   asked the same, and now it is known how much that is.
   */
  apply(line: CallLine): number {
    if ("run" in line) {
      this.#requests += line.requests;
      for (const [model, sum] of Object.entries(line.spent)) this.#spend(model, sum);
      return 0;
    }
    if ("sent" in line) {
      this.#requests += 1;
      const entry = this.#entryOf(line.index, line.model);
      keepOpen(entry);
      entry.sent = line.sent;
      return 0;
    }
    if ("kept" in line) {
      const entry = this.#entryOf(line.index, line.model);
      entry.sent = null;
      const [prompt, completion] = line.kept;
      if (prompt + completion > 0) {
        entry.kept.push({ tokens: line.kept, answered: line.answered ?? false });
      }
      return 0;
    }
    const entry = this.#items.get(line.index);
    if (entry === undefined) return 0;
    entry.sent = null;
    if ("throttled" in line) {
      this.#requests -= 1;
      return 0;
    }
    entry.recorded = line.recorded;
    const [known] = line.recorded;
    let released = 0;
    entry.kept = entry.kept.map(({ tokens: [prompt, completion], answered }) => {
      released += Math.max(0, prompt - known);
      return { tokens: [Math.min(prompt, known), completion], answered };
    });
    return released;
  }

  /** Forgets what the ledger of outcomes now tells, and adds up what nobody will learn more about. */
  fold(items: Pick<ItemTable, "state">): void {
    for (const [index, entry] of this.#items) {
      const state = items.state(index);
      if (state === "completed") {
        entry.recorded = null;
        entry.sent = null;
      }
      if (entry.sent !== null || entry.recorded !== null) continue;
      if (state === "pending" && entry.kept.length > 0) continue;
      for (const { tokens, answered } of entry.kept) {
        this.#spend(entry.model, [...tokens, answered && state === "completed" ? 0 : 1]);
      }
      this.#items.delete(index);
    }
  }

  /** Lines that say the same. */
  lines(run: string): CallLine[] {
    const calls: CallLine[] = [];
    let inFlight = 0;
    for (const [index, { model, sent, recorded, kept }] of this.#items) {
      for (const { tokens, answered } of kept) {
        calls.push({ index, model, kept: tokens, ...(answered && { answered }) });
      }
      const open = sent ?? recorded;
      if (open === null) continue;
      inFlight += 1;
      calls.push({ index, model, sent: open });
      if (recorded !== null) calls.push({ index, recorded });
    }
    const spent = Object.fromEntries(this.#spent);
    return [{ run, requests: this.#requests - inFlight, spent }, ...calls];
  }

  #entryOf(index: number, model: string): Entry {
    let entry = this.#items.get(index);
    if (entry === undefined) {
      entry = { model, sent: null, recorded: null, kept: [] };
      this.#items.set(index, entry);
    }
    return entry;
  }

  #spend(model: string, [prompt, completion, calls]: Sum): void {
    const before = this.#spent.get(model) ?? [0, 0, 0];
    this.#spent.set(model, [before[0] + prompt, before[1] + completion, before[2] + calls]);
  }

  #sums(): [string, Sum][] {
    const sums: [string, Sum][] = [...this.#spent];
    for (const { model, sent, recorded, kept } of this.#items.values()) {
      for (const tokens of [sent, recorded, ...kept.map((call) => call.tokens)]) {
        if (tokens !== null) sums.push([model, [...tokens, 1]]);
      }
    }
    return sums;
  }
}

/**
 * What was open when a process died stays as it is: nothing more will be heard of it. An answer to an
 * item that is asked again did not get to results.jsonl.
 */
function keepOpen(entry: Entry): void {
  entry.kept = [entry.sent, entry.recorded, ...entry.kept.map(({ tokens }) => tokens)].flatMap(
    (tokens) => (tokens === null ? [] : [{ tokens, answered: false }]),
  );
  entry.sent = null;
  entry.recorded = null;
}
