import { RunStopped } from "../errors.ts";
import type { Trouble, Verdict } from "../gateway/verdict.ts";

const TROUBLES_IN_A_ROW = 5;
/** Where one bad channel or one bad item may be to blame: so many are no chance any more. */
const DOUBTFUL_TROUBLES_IN_A_ROW = 20;
const FIRST_ITEMS_ALIKE = 20;

const REMEDIES: Readonly<Record<Trouble, string>> = {
  key: "Check NIGHTSHIFT_API_KEY: the key may be wrong, expired, disabled or used up.",
  balance: "Top up the account (or raise the key's own quota).",
  quota: "The quota is spent: raise it, or wait until it renews.",
  model:
    "Check `model` (`nightshift models` lists what the gateway offers), or ask for access to it.",
  permission: "Ask the gateway's operator to allow this key, address or group.",
  "base-url": "Check the base URL: it usually ends in /v1, like https://1688token.ai/v1.",
  blocked: "A firewall in front of the gateway refuses these calls: try from another address.",
};

/** What a single item may bring about by itself, with its own model or whatever it makes a gateway do. */
const OF_ONE_ITEM: ReadonlySet<Trouble> = new Set(["model", "base-url"]);

/** What a user can do about trouble with the account or the set-up. */
export function accountStop(trouble: Trouble, message: string): RunStopped {
  return new RunStopped(
    "account",
    message,
    `${remedyFor(trouble)} Then run the same command again: it goes on where it stopped.`,
  );
}

/** What a user can do about it, whatever was being done. */
export function remedyFor(trouble: Trouble): string {
  return REMEDIES[trouble];
}

/** What the watch makes of the verdicts so far. */
export interface Finding {
  /** `ask`: stop if the list of models is refused too, which one bad channel would not do. */
  readonly action: "stop" | "ask";
  readonly reason: RunStopped;
}

/**
 * Tells trouble with the account from trouble with single items. One bad channel behind a gateway
 * answers like a dead key now and then; only several such answers in a row mean the account.
 */
export class AccountWatch {
  #troubles = 0;
  /** The item that brought all of them; null where several did. */
  #culprit: number | null = null;
  #alike = 0;
  #onlyCode: string | null = null;
  #settled: boolean;

  /** @param settled whether the job is known to work: earlier sittings have brought outcomes. */
  constructor(settled: boolean) {
    this.#settled = settled;
  }

  /** Takes note of a verdict on an item; a finding when the run should pause. */
  note(verdict: Verdict, index: number): Finding | null {
    switch (verdict.class) {
      case "completed":
        this.#troubles = 0;
        this.#settled = true;
        return null;
      case "pause-run":
        return this.#noteTrouble(verdict.trouble, verdict.failure.message, index);
      case "fail-item":
        return this.#noteFailedItem(verdict.failure.code, verdict.failure.message);
      case "retry":
      case "throttled":
        return null;
    }
  }

  #noteTrouble(trouble: Trouble, message: string, index: number): Finding | null {
    if (this.#troubles === 0) this.#culprit = index;
    else if (this.#culprit !== index) this.#culprit = null;
    this.#troubles += 1;
    if (this.#troubles < TROUBLES_IN_A_ROW) return null;
    const isOneItem = this.#settled && this.#culprit !== null && OF_ONE_ITEM.has(trouble);
    const reason = accountStop(trouble, message);
    if ((trouble !== "key" && !isOneItem) || this.#troubles >= DOUBTFUL_TROUBLES_IN_A_ROW) {
      return { action: "stop", reason };
    }
    return trouble === "key" && this.#troubles === TROUBLES_IN_A_ROW
      ? { action: "ask", reason }
      : null;
  }

  /** When each of the first items fails for good in the same way, so would all others. */
  #noteFailedItem(code: string, message: string): Finding | null {
    if (this.#settled) return null;
    this.#onlyCode ??= code;
    if (code !== this.#onlyCode) {
      this.#settled = true;
      return null;
    }
    this.#alike += 1;
    if (this.#alike < FIRST_ITEMS_ALIKE) return null;
    const reason = new RunStopped(
      "account",
      `each of the first ${FIRST_ITEMS_ALIKE} items failed in the same way (${code}): ${message}`,
      "Correct the job (model, messages, params) and start afresh with --new " +
        "(or, where --out or `out` names the directory, in another one), or run the same command again to go on all the same.",
    );
    return { action: "stop", reason };
  }
}
