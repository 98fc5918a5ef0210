import { messageOf } from "../../errors.ts";
import { type Answer, answerItem, type Answering } from "../../gateway/answer-item.ts";
import type { GatewayClient } from "../../gateway/client.ts";
import type { Governor } from "../../gateway/governor.ts";
import type { RunMeter } from "../../metrics/run-meter.ts";
import type { Outcome } from "../../outcome.ts";
import type { Consumer, Handled } from "../../queue/consumer.ts";
import { hideHands, showHands } from "../../queue/hands.ts";
import { consumeHolding, type HandedHeld } from "../../queue/holding-consumer.ts";
import type { RunPlace } from "../../queue/keys.ts";
import type { Message, Trouble } from "../../queue/message.ts";
import { deliver } from "../../queue/outcome-stream.ts";
import { type RunTerms } from "../../queue/run-info.ts";
import { WORKER_LIVES_MS } from "../../queue/worker-roll.ts";
import type { Clock } from "../../system/clock.ts";
import type { Log } from "../../system/log.ts";
import type { Random } from "../../system/random.ts";
import { AccountWatch } from "../account-watch.ts";
import type { GatewayHealth } from "../gateway-health.ts";
import { logVerdict } from "../log-verdict.ts";
import { fairCapacity, Resting } from "../share.ts";
import { stopIfRefused } from "../stop-if-refused.ts";
import { TokenReservation } from "../token-reservation.ts";
import { MOST_TAKEOVERS, workerLost } from "../worker-lost.ts";
import { Faults } from "./faults.ts";
import { inTurn, type Turns } from "./turns.ts";

const DELIVER_AGAIN_MS = 1_000;

export interface ServedRunParts {
  readonly place: RunPlace;
  readonly worker: string;
  readonly client: GatewayClient;
  readonly governor: Governor;
  readonly health: GatewayHealth;
  readonly turns: Turns;
  readonly capacity: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Aborts when even calls in flight must end. */
  readonly ending: AbortSignal;
  readonly meter: RunMeter | null;
  readonly onOutcome: (outcome: Outcome) => void;
  /** It cannot go on with the run here, for a reason that nobody foresaw. */
  readonly onFault: (message: string) => void;
  /** The run was told that it should stop. */
  readonly onTrouble: (trouble: Trouble) => void;
}

/** One run that a worker helps: takes its items, answers them, sends the outcomes to its owner. */
export class ServedRun {
  readonly #parts: ServedRunParts;
  readonly #terms: RunTerms;
  readonly #consumer: Consumer;
  readonly #leaving = new AbortController();
  readonly #inHand = new Map<number, Promise<Handled>>();
  readonly #faults = new Faults();
  readonly #answering: Omit<Answering, "stopping">;
  readonly #resting: Resting;
  /** Items that it may have in hand at most, where they wait to try again. */
  #most: number;
  #inFlight = 0;
  #isInTrouble = false;

  constructor(parts: ServedRunParts, terms: RunTerms) {
    this.#parts = parts;
    this.#terms = terms;
    this.#most = parts.capacity;
    this.#resting = new Resting(parts.clock, () => this.#fit());
    this.#answering = this.#prepare();
    const onError = (error: Error): void =>
      parts.log.debug({ event: "queue.error", error: error.message }, "the queue had trouble");
    this.#consumer = consumeHolding({
      ...parts.place,
      name: parts.worker,
      capacity: parts.capacity,
      handle: this.#take,
      clock: parts.clock,
      onError,
    });
    this.#consumer.start();
    parts.meter?.watchQueue(() => ({ waiting: null, inHand: this.#inHand.size }));
  }

  get terms(): RunTerms {
    return this.#terms;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get inHand(): number {
    return this.#inHand.size;
  }

  setCapacity(items: number): void {
    this.#most = items;
    this.#fit();
  }

  /** Says which items it has in hand, should Redis forget. */
  async showHands(): Promise<void> {
    const { place, worker } = this.#parts;
    await showHands(place, worker, [...this.#inHand.keys()], WORKER_LIVES_MS);
  }

  /** Gives back what is not being called, and resolves when the rest is with the owner. */
  async close(): Promise<void> {
    this.#consumer.pause();
    this.#leaving.abort(new Error("the worker leaves the run"));
    await this.#consumer.close();
    await hideHands(this.#parts.place, this.#parts.worker);
  }

  /** The run should stop: its owner is told, and decides. */
  async tell(trouble: Trouble): Promise<void> {
    if (this.#isInTrouble) return;
    this.#isInTrouble = true;
    this.#leaving.abort(new Error(trouble.message));
    this.#consumer.pause();
    this.#parts.onTrouble(trouble);
    await this.#deliver({ kind: "trouble", trouble });
  }

  readonly #take = (handed: HandedHeld): Promise<Handled> => {
    const { index } = handed.item;
    // Handed out again after its hold had run out: the call in flight may still answer it.
    const inHand = this.#inHand.get(index);
    if (inHand !== undefined) return inHand;
    const handled = this.#handle(handed).finally(() => this.#inHand.delete(index));
    this.#inHand.set(index, handled);
    return handled;
  };

  async #handle(handed: HandedHeld): Promise<Handled> {
    const { item, takeovers, lost } = handed;
    const stopping = AbortSignal.any([this.#leaving.signal, lost]);
    try {
      const answer: Answer =
        takeovers < MOST_TAKEOVERS
          ? await answerItem(item, { ...this.#answering, stopping })
          : { outcome: workerLost(item), free: () => {} };
      await this.#hand(handed, answer);
      this.#faults.wentWell(item.index);
      return "done";
    } catch (error) {
      if (error === stopping.reason || error === this.#parts.ending.reason) return "back";
      return this.#afterFault(handed, error, stopping);
    }
  }

  /** Brings an outcome to Redis. */
  async #hand({ item, token }: HandedHeld, { outcome, free }: Answer): Promise<void> {
    try {
      await this.#deliver({ kind: "outcome", outcome }, token);
    } finally {
      free();
    }
    this.#parts.meter?.ended(item.model, outcome);
    this.#parts.onOutcome(outcome);
  }

  /** A fault must neither lose an item nor make it go round without end. */
  async #afterFault(handed: HandedHeld, error: unknown, stopping: AbortSignal): Promise<Handled> {
    const { clock, log, onFault } = this.#parts;
    const { item } = handed;
    log.error({ event: "item.failed", index: item.index, err: error }, "a bug");
    const after = this.#faults.note(item.index);
    const why = `an unexpected error: ${messageOf(error)}`;
    try {
      if (after.kind === "end-item") {
        await this.#hand(handed, { outcome: workerLost(item, why), free: () => {} });
        return "done";
      }
      if (after.kind === "leave-run") onFault(why);
      // The next who takes it may be this worker.
      await clock.sleep(after.pauseMs, stopping);
    } catch {
      // It leaves the run, or has lost the item.
    }
    return "back";
  }

  /** An answer that is paid for is kept until Redis has it. */
  async #deliver(message: Message, token?: string): Promise<void> {
    const { place, clock, ending, log } = this.#parts;
    for (;;) {
      try {
        await deliver(place, message, token);
        return;
      } catch (error) {
        log.warn({ event: "deliver.failed", error: messageOf(error) }, "Redis took no outcome");
        await clock.sleep(DELIVER_AGAIN_MS, ending);
      }
    }
  }

  #fit(): void {
    const fair = fairCapacity(this.#parts.capacity, this.#resting.size);
    this.#consumer.setCapacity(Math.min(this.#most, fair));
  }

  #prepare(): Omit<Answering, "stopping"> {
    const { client, governor, health, turns, random, log, ending, meter } = this.#parts;
    const { attempts, timeout_ms: timeoutMs, stream, on_length: onLength, proven } = this.#terms;
    const reservation = new TokenReservation();
    const watch = new AccountWatch(proven);
    const turn = inTurn(governor, turns, this);
    return {
      client,
      governor: {
        get countsTokens() {
          return turn.countsTokens;
        },
        enter: async (tokens, signal) => {
          const permit = await turn.enter(tokens, signal);
          this.#inFlight += 1;
          return {
            ...permit,
            free: () => {
              this.#inFlight -= 1;
              permit.free();
            },
          };
        },
      },
      policy: { attempts, timeoutMs, stream, onLength },
      clock: this.#resting.clock,
      random,
      tokensOf: (body) => reservation.of(body),
      budget: null,
      onVerdict: (item, verdict) => {
        health.note(verdict);
        meter?.attempt(item.model, verdict.class);
        if (verdict.class === "completed") reservation.note(verdict.summary.usage);
        else logVerdict(log, item, verdict);
        const finding = watch.note(verdict, item.index);
        if (finding === null) return;
        const stop = (): void => {
          const { message, remedy } = finding.reason;
          void this.tell({ reason: "account", message, remedy }).catch(() => {});
        };
        if (finding.action === "stop") stop();
        else void stopIfRefused(client, this.#parts.clock, finding.reason, stop);
      },
      answersSeen: () => health.answersSeen,
      lookForLife: () => health.look(),
      ending,
    };
  }
}
