import pRetry from "p-retry";

import type { Item } from "../item.ts";
import type { Outcome } from "../outcome.ts";
import type { Clock } from "../system/clock.ts";
import type { Random } from "../system/random.ts";
import type { AttemptBudget, Reservation } from "./attempt-budget.ts";
import { AttemptFailed, AttemptHistory } from "./attempt-history.ts";
import { backoffMs } from "./backoff.ts";
import { classify } from "./classify.ts";
import type { GatewayClient } from "./client.ts";
import type { Governor, Permit } from "./governor.ts";
import type { Verdict } from "./verdict.ts";

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
  readonly governor: Pick<Governor, "enter" | "countsTokens">;
  readonly policy: AttemptPolicy;
  readonly clock: Clock;
  readonly random: Random;
  /** Tokens that a request may use at most: its prompt and the answer it asks for. */
  readonly tokensOf: (body: string) => number;
  /** Null where nothing limits what the run may spend. */
  readonly budget: AttemptBudget | null;
  /** Told of every verdict, before anything is decided upon it. */
  readonly onVerdict: (item: Item, verdict: Verdict) => void;
  /** How often the gateway has shown so far that it works: answered calls of any item. */
  readonly answersSeen: () => number;
  /** Asks the gateway for something else, to see whether it works. Never throws. */
  readonly lookForLife: () => Promise<void>;
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

/**
 * Asks the gateway about one item until there is an outcome. While it waits to try again it holds
 * no slot.
 *
 * @throws the stopping signal's reason when the run ends first: the item stays pending.
 */
export async function answerItem(item: Item, answering: Answering): Promise<Answer> {
  const history = new AttemptHistory(answering.policy.attempts, answering.answersSeen);
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

async function attempt(item: Item, answering: Answering, history: AttemptHistory): Promise<Answer> {
  const { client, governor, policy, clock, ending } = answering;
  const { permit, reservation } = await admit(item, answering);
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
    reservation?.settle(null);
    permit.report(null, null);
    permit.free();
    throw error;
  }
  reservation?.settle(verdict);
  permit.report(verdict, governor.countsTokens ? tokensUsed(verdict) : null);
  answering.onVerdict(item, verdict);
  if (verdict.class !== "completed") {
    permit.free();
    if (history.isInDoubt(verdict)) await answering.lookForLife();
    history.note(verdict);
    throw new AttemptFailed(verdict, ms);
  }
  history.note(verdict);
  return { outcome: history.completed(item, verdict, ms), free: () => permit.free() };
}

/** Leave to make one call: what it may cost is set aside first, since waiting for that needs no slot. */
async function admit(
  item: Item,
  { budget, governor, stopping, tokensOf }: Answering,
): Promise<{ permit: Permit; reservation: Reservation | null }> {
  const reservation = budget === null ? null : await budget.reserve(item, stopping);
  let permit: Permit | null = null;
  try {
    permit = await governor.enter(() => tokensOf(item.body), stopping);
    reservation?.sent();
    return { permit, reservation };
  } catch (error) {
    reservation?.cancel();
    permit?.report(null, 0);
    permit?.free();
    throw error;
  }
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
