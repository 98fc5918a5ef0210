/** What the sandbox did with one chat completion request. */
export interface LedgerEntry {
  /** The request id that the answer carried. */
  readonly id: string;
  /** Masked. */
  readonly key: string;
  /** `X-Sandbox-Row`, else a hash of the body. */
  readonly row: string;
  /** Counts the calls of this row that passed the limits, from 1; 0 for one that was refused before. */
  readonly attempt: number;
  /** 0 where no status was sent. */
  readonly status: number;
  readonly fault: string | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly billed: boolean;
  /** The client left before its answer was complete. */
  readonly gone: boolean;
}

/** Counters over all chat completion requests; cheap at any size. */
export interface SandboxStats {
  readonly requests: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly billedRequests: number;
  readonly billedTokens: number;
  readonly clientsGone: number;
  readonly inFlight: number;
  readonly inFlightMax: number;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** Counts every request and, if asked to, keeps an entry for each. */
export class SandboxLedger {
  readonly #keepEntries: boolean;
  #entries: Open<LedgerEntry>[] = [];
  #stats: Open<SandboxStats> = freshStats(0);
  #byStatus = new Map<number, number>();

  constructor(keepEntries: boolean) {
    this.#keepEntries = keepEntries;
  }

  /** A request begins. */
  open(): void {
    const stats = this.#stats;
    stats.requests += 1;
    stats.inFlight += 1;
    if (stats.inFlight > stats.inFlightMax) stats.inFlightMax = stats.inFlight;
  }

  /** A request has ended for the gateway. */
  close(entry: LedgerEntry): void {
    const stats = this.#stats;
    stats.inFlight -= 1;
    this.#byStatus.set(entry.status, (this.#byStatus.get(entry.status) ?? 0) + 1);
    if (entry.billed) {
      stats.billedRequests += 1;
      stats.billedTokens += entry.promptTokens + entry.completionTokens;
    }
    if (entry.gone) stats.clientsGone += 1;
    if (this.#keepEntries) this.#entries.push(entry);
  }

  /** The client of a closed request left without its whole answer. */
  markGone(entry: Open<LedgerEntry>): void {
    if (entry.gone) return;
    entry.gone = true;
    this.#stats.clientsGone += 1;
  }

  entries(): LedgerEntry[] {
    return this.#entries.slice();
  }

  stats(): SandboxStats {
    return { ...this.#stats, byStatus: Object.fromEntries(this.#byStatus) };
  }

  /** Forgets everything except the requests now in flight. */
  reset(): void {
    this.#entries = [];
    this.#byStatus = new Map();
    this.#stats = freshStats(this.#stats.inFlight);
  }
}

function freshStats(inFlight: number): Open<SandboxStats> {
  return {
    requests: 0,
    byStatus: {},
    billedRequests: 0,
    billedTokens: 0,
    clientsGone: 0,
    inFlight,
    inFlightMax: inFlight,
  };
}
