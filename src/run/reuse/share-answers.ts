import { join } from "node:path";

import type { Item } from "../../item.ts";
import { FILES } from "../../ledger/files.ts";
import { tryParseLine } from "../../ledger/line.ts";
import { PointReader } from "../../ledger/point-reader.ts";
import { reuseLine } from "../../ledger/reuse-line.ts";
import type { Outcome } from "../../outcome.ts";
import { wantedItems } from "../wanted-items.ts";
import type { WorkParts } from "../work-parts.ts";
import { recordAll } from "./record-all.ts";
import type { RequestTable } from "./request-table.ts";

/** Where the request itself is at fault, a second refusal settles it for all that ask the same. */
const MOST_REFUSALS = 2;
/** Other failures may be bad luck, but not so often in a row. */
const MOST_FAILURES = 5;

/** What becomes of an item while others may ask the same. */
type Turn =
  /** It asks, for itself and all the others. */
  | { readonly kind: "ask" }
  /** It waits for one that asks. */
  | { readonly kind: "wait" }
  /** The outcome of another is its own, too. */
  | { readonly kind: "share"; readonly of: number };

/** Hands outcomes on to the items that ask the same, and where one failed, its turn to the next. */
export class Sharing {
  readonly #parts: WorkParts;
  readonly #requests: RequestTable;
  readonly #results: PointReader;
  readonly #errors: PointReader;

  constructor(parts: WorkParts, requests: RequestTable) {
    const { directory } = parts.scene;
    this.#parts = parts;
    this.#requests = requests;
    this.#results = new PointReader(join(directory, FILES.results));
    this.#errors = new PointReader(join(directory, FILES.errors));
  }

  /**
   * Records what needs no call: the outcomes of items that share another's.
   *
   * @param failures how often each request that has no answer failed in this sitting.
   * @returns how many items are to ask now.
   */
  async handOn(failures: number, signal: AbortSignal): Promise<number> {
    const { wanted } = this.#parts;
    this.#letAnsweredLead();
    let asking = 0;
    let sharing = 0;
    for (let index = 0; index < this.#requests.size; index += 1) {
      if (!wanted.has(index)) continue;
      const { kind } = this.#turnOf(index, failures);
      if (kind === "ask") asking += 1;
      if (kind === "share") sharing += 1;
    }
    if (sharing > 0) await recordAll(this.#shared(failures, signal), this.#parts);
    return asking;
  }

  close(): void {
    this.#results.close();
    this.#errors.close();
  }

  /** Whoever has an answer, from whatever sitting, hands it on. */
  #letAnsweredLead(): void {
    const { items } = this.#parts.ledger;
    for (let index = 0; index < Math.min(items.end, this.#requests.size); index += 1) {
      if (items.state(index) !== "completed") continue;
      const leader = this.#requests.leaderOf(index);
      if (items.state(leader) !== "completed") this.#requests.lead(index);
    }
  }

  #turnOf(index: number, failures: number): Turn {
    const { ledger, wanted } = this.#parts;
    const leader = this.#requests.leaderOf(index);
    if (leader === index) return { kind: "ask" };
    if (ledger.items.state(leader) === "completed") return { kind: "share", of: leader };
    if (wanted.has(leader)) return { kind: "wait" };
    if (failures > 0 && failures >= this.#mostFailures(leader)) {
      return { kind: "share", of: leader };
    }
    this.#requests.lead(index);
    return { kind: "ask" };
  }

  #mostFailures(failed: number): number {
    const bytes = this.#errors.read(this.#parts.ledger.items.offset(failed));
    const line = bytes === null ? null : tryParseLine(bytes);
    return line?.nightshift.class === "item" ? MOST_REFUSALS : MOST_FAILURES;
  }

  async *#shared(failures: number, signal: AbortSignal): AsyncGenerator<Generator<Outcome>> {
    const { scene, wanted } = this.#parts;
    const has = (index: number): boolean =>
      wanted.has(index) && this.#sharedWith(index, failures) !== null;
    for await (const items of wantedItems(scene, { has }, signal)) {
      yield this.#outcomesOf(items, failures);
    }
  }

  *#outcomesOf(items: readonly Item[], failures: number): Generator<Outcome> {
    for (const item of items) {
      const leader = this.#sharedWith(item.index, failures);
      if (leader !== null) yield this.#outcomeOf(item, leader);
    }
  }

  /** The item whose outcome is this one's, too. */
  #sharedWith(index: number, failures: number): number | null {
    const turn = this.#turnOf(index, failures);
    return turn.kind === "share" ? turn.of : null;
  }

  #outcomeOf(item: Item, leader: number): Outcome {
    const { items } = this.#parts.ledger;
    const lines = items.state(leader) === "completed" ? this.#results : this.#errors;
    const bytes = lines.read(items.offset(leader));
    const outcome =
      bytes === null
        ? null
        : reuseLine(bytes, item, ({ nightshift }) => ({
            kind: "shared",
            with: nightshift.shared_with ?? leader,
          }));
    if (outcome === null) throw new Error(`the line of item ${leader} cannot be read back`);
    return outcome;
  }
}
