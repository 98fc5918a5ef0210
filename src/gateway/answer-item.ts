import pRetry from "p-retry";

import type { Item } from "../item.ts";
import type { Completed, Failed, Outcome } from "../outcome.ts";
import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import { backoffMs } from "./backoff.ts";
import { classify } from "./classify.ts";
import type { GatewayClient } from "./client.ts";
import type { Governor, Permit } from "./governor.ts";
import type { Failure, Verdict } from "./verdict.ts";

/** How attempts are made. All of it may change between sittings. */
export interface AttemptPolicy {
  /** Attempts per item at most. */
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly stream: boolean;
  readonly onLength: "keep" | "fail";
}

/** Everything an item needs to be answered. */
export interface Answering {
  readonly client: GatewayClient;
  readonly governor: Governor;
  readonly policy: AttemptPolicy;
  readonly clock: Clock;
  readonly random: Random;
  /** Tokens that a request may use at most: its prompt and the answer it asks for. */
  readonly tokensOf: (body: string) => number;
  /** Told of every verdict, before anything is decided upon it. */
  readonly onVerdict: (item: Item, verdict: Verdict) => void;
  /** How often the gateway has shown so far that it works: answered calls of any item. */
  readonly answersSeen: () => number;
  /** Aborts when no new attempt may start. */
  readonly stopping: AbortSignal;
  /** Aborts when even calls in flight must end. */
  readonly ending: AbortSignal;
}

/** An outcome, and the slot that it still holds until it is recorded. */
export interface Answer {
  readonly outcome: Outcome;
  readonly free: () => void;
}

/** An item that is throttled this often while others complete will not be let through. */
const MOST_THROTTLES = 10;
/** Calls that may have been billed without an answer are made again at most this often. */
const MOST_BILLED_AGAIN = 2;
/** So many answers that blame the account stop the run; no item may fail of them before. */
const FEWEST_REFUSALS = 5;

/**
 * Asks the gateway about one item until there is an outcome. While it waits to try again it holds
 * no slot.
 *
 * @throws the stopping signal's reason when the run ends first: the item stays pending.
 */
export async function answerItem(item: Item, answering: Answering): Promise<Answer> {
  const history = new AttemptHistory(answering);
  try {
    return await pRetry(() => attempt(item, answering, history), {
      // Whether to go on, and after what pause, is decided in `again`, on our clock.
      retries: Infinity,
      minTimeout: 0,
      shouldRetry: ({ error }) =>
        error instanceof AttemptFailed && again(error.verdict, answering, history),
    });
  } catch (error) {
    if (!(error instanceof AttemptFailed)) throw error;
    return { outcome: history.failed(item, error), free: () => {} };
  }
}

class AttemptFailed extends Error {
  readonly verdict: Exclude<Verdict, { class: "completed" }>;
  readonly ms: number;

  constructor(verdict: Exclude<Verdict, { class: "completed" }>, ms: number) {
    super(verdict.failure.message);
    this.verdict = verdict;
    this.ms = ms;
  }
}

async function attempt(item: Item, answering: Answering, history: AttemptHistory): Promise<Answer> {
  const { client, governor, policy, clock, stopping, ending } = answering;
  const permit: Permit = await governor.enter(answering.tokensOf(item.body), stopping);
  history.begin();
  let verdict: Verdict;
  let ms: number;
  try {
    const reply = await client.chat(item.body, {
      stream: policy.stream,
      timeoutMs: policy.timeoutMs,
      signal: ending,
    });
    ms = reply.ms;
    verdict = classify(reply, { onLength: policy.onLength, now: clock.now() });
  } catch (error) {
    permit.report(null, null);
    permit.free();
    throw error;
  }
  permit.report(verdict, governor.countsTokens ? tokensUsed(verdict) : null);
  answering.onVerdict(item, verdict);
  history.note(verdict);
  if (verdict.class !== "completed") {
    permit.free();
    throw new AttemptFailed(verdict, ms);
  }
  return { outcome: history.completed(item, verdict, ms), free: () => permit.free() };
}

/** Whether another attempt follows; if so, resolves when its time has come. */
async function again(
  verdict: Exclude<Verdict, { class: "completed" }>,
  answering: Answering,
  history: AttemptHistory,
): Promise<boolean> {
  const { clock, random, stopping } = answering;
  // Trouble with the account that stops the run leaves the item pending.
  if (verdict.class === "pause-run") stopping.throwIfAborted();
  if (!history.mayGoOn(verdict)) return false;
  // A throttled item waits at the governor's gate, with all the others.
  if (verdict.class !== "throttled") {
    await clock.sleep(backoffMs(history.pauses, random), stopping);
  }
  return true;
}

/** Tokens that a call turned out to use; null where only its reservation is known. */
function tokensUsed(verdict: Verdict): number | null {
  if (verdict.class === "completed") {
    return verdict.summary.usage?.total ?? null;
  }
  return verdict.class === "retry" && verdict.possiblyBilled ? null : 0;
}

/** What has been tried for one item. */
class AttemptHistory {
  readonly #answering: Answering;
  #calls = 0;
  #counted = 0;
  #throttledCalls = 0;
  #throttles = 0;
  #possiblyBilled = 0;
  #billedAgain = 0;
  #answersBefore = 0;
  // A map: a code is the gateway's own word, and may be `constructor`.
  readonly #retries = new Map<string, number>();

  constructor(answering: Answering) {
    this.#answering = answering;
    this.#answersBefore = answering.answersSeen();
  }

  /** Pauses that were made so far: what the backoff grows by. */
  get pauses(): number {
    return this.#calls - this.#throttledCalls - 1;
  }

  begin(): void {
    this.#calls += 1;
  }

  note(verdict: Verdict): void {
    // What an outage swallowed does not count: only where the gateway has answered something else
    // since this item's last attempt is the item itself to blame.
    const answers = this.#answering.answersSeen();
    const mayCount = answers > this.#answersBefore;
    this.#answersBefore = answers;
    if (verdict.class === "completed" || verdict.class === "fail-item") return;
    const { code } = verdict.failure;
    this.#retries.set(code, (this.#retries.get(code) ?? 0) + 1);
    switch (verdict.class) {
      case "retry":
        if (verdict.possiblyBilled) this.#possiblyBilled += 1;
        if (!verdict.outage || mayCount) {
          this.#counted += 1;
          if (verdict.possiblyBilled) this.#billedAgain += 1;
        }
        break;
      case "throttled":
        this.#throttledCalls += 1;
        if (mayCount) this.#throttles += 1;
        break;
      case "pause-run":
        if (mayCount) this.#counted += 1;
        break;
    }
  }

  mayGoOn(verdict: Exclude<Verdict, { class: "completed" }>): boolean {
    switch (verdict.class) {
      case "fail-item":
        return false;
      case "throttled":
        return this.#throttles < MOST_THROTTLES;
      case "pause-run":
        return this.#counted < Math.max(this.#answering.policy.attempts, FEWEST_REFUSALS);
      case "retry":
        return (
          this.#counted < this.#answering.policy.attempts && this.#billedAgain <= MOST_BILLED_AGAIN
        );
    }
  }

  completed(
    item: Item,
    { summary, response }: Extract<Verdict, { class: "completed" }>,
    ms: number,
  ): Completed {
    return { kind: "completed", ...this.#ended(item, ms), summary, response };
  }

  failed(item: Item, { verdict, ms }: AttemptFailed): Failed {
    const { failure } = verdict;
    return {
      kind: "failed",
      class: FAILED_CLASS[verdict.class],
      ...this.#ended(item, ms),
      response: failure.response,
      error: describeFailure(failure, verdict.class),
    };
  }

  #ended(item: Item, ms: number): Omit<Completed, "kind" | "summary" | "response"> {
    return {
      index: item.index,
      customId: item.customId,
      attempts: Math.max(1, this.#calls - this.#throttledCalls),
      ms,
      possiblyBilled: this.#possiblyBilled,
      retries: Object.fromEntries(this.#retries),
    };
  }
}

const FAILED_CLASS = {
  "fail-item": "item",
  "pause-run": "item",
  retry: "retry",
  throttled: "throttled",
} as const;

function describeFailure(
  failure: Failure,
  verdictClass: keyof typeof FAILED_CLASS,
): Failed["error"] {
  return verdictClass === "throttled"
    ? { code: "rate_limited", message: failure.message }
    : { code: failure.code, message: failure.message };
}
