import { messageOf } from "../../errors.ts";
import type { GatewayClient } from "../../gateway/client.ts";
import type { Governor } from "../../gateway/governor.ts";
import type { Metrics } from "../../metrics/metrics.ts";
import type { Outcome } from "../../outcome.ts";
import type { Place } from "../../queue/keys.ts";
import { type KnownRun, listRuns } from "../../queue/run-info.ts";
import { signOff, signOn, type WorkerCard } from "../../queue/worker-roll.ts";
import type { Clock } from "../../system/clock.ts";
import type { Log } from "../../system/log.ts";
import type { Random } from "../../system/random.ts";
import { GatewayHealth } from "../gateway-health.ts";
import { outageStop } from "../preflight.ts";
import { RateMeter } from "../rate-meter.ts";
import { HELD_PER_SLOT } from "../share.ts";
import { chooseRun, pausedAmong, strictest, type Taste } from "./choice.ts";
import type { WorkerEvent, WorkerResult } from "./events.ts";
import { areExpected } from "./expected.ts";
import { ServedRun } from "./served-run.ts";
import { Turns } from "./turns.ts";
import { untilUsable } from "./usable.ts";

const LOOK_EVERY_MS = 1_000;
/** A run that Redis does not know is gone, unless Redis was emptied and its owner tells again. */
const LOOKS_UNTIL_GONE = 5;
const STREAMED = 10;
const LEAVE_MS = 5_000;
const LEAVE_LOOK_MS = 200;
/** After a gateway that would not say whether it takes the key. */
const BARRED_MS = 30_000;
/** Owners look every second who is there: so they learn who has dropped parcels of several. */
const SEEN_MS = 2_000;

export interface WorkerParts {
  readonly place: Place;
  readonly card: Omit<WorkerCard, "in_flight">;
  readonly client: GatewayClient;
  readonly governor: Governor;
  /** Null where nobody wants to see them. */
  readonly metrics: Metrics | null;
  /** Ends when all that it may serve is done. */
  readonly once: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly stopping: AbortSignal;
  /** Aborts when even calls in flight must end. */
  readonly ending: AbortSignal;
}

/** Serves every run on a Redis that it may, all of them fairly, until it is stopped. */
export class Worker {
  readonly #parts: WorkerParts;
  readonly #taste: Taste;
  readonly #turns: Turns;
  readonly #health: GatewayHealth;
  readonly #meter = new RateMeter();
  readonly #served = new Map<string, ServedRun>();
  readonly #leaving = new Map<string, ServedRun>();
  /** Looks at which a served run was not there, in a row. */
  readonly #misses = new Map<string, number>();
  readonly #told = new Set<string>();
  /** Sittings that were told to stop: another one may have mended it. */
  readonly #stopped = new Set<string>();
  /** Why it takes nothing at all just now. */
  #barred: string | null = null;
  /** When it began to take items. */
  #joinedAt: number | null = null;
  #completed = 0;
  #failed = 0;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { base_url: baseUrl, runs: pattern, concurrency } = parts.card;
    this.#taste = { baseUrl, pattern };
    this.#turns = new Turns(concurrency);
    this.#health = new GatewayHealth(parts.client, parts.clock, parts.ending);
  }

  /** Resolves when it was stopped, or with `once` when nothing is left, and all is delivered. */
  async work(): Promise<WorkerResult> {
    const { place, card, clock, stopping, log, onEvent } = this.#parts;
    onEvent({ event: "online", worker: card.id, base_url: card.base_url });
    try {
      while (!stopping.aborted) {
        try {
          if (place.connection.status === "ready" && !(await this.#look())) break;
        } catch (error) {
          log.warn({ event: "look.failed", error: messageOf(error) }, "could not look for runs");
        }
        this.#tell();
        await clock.sleep(LOOK_EVERY_MS, stopping).catch(() => {});
      }
    } finally {
      await this.#leaveAll();
    }
    return { completed: this.#completed, failed: this.#failed };
  }

  /** Whether there is anything more to wait for. */
  async #look(): Promise<boolean> {
    const { place, once } = this.#parts;
    const runs = await listRuns(place, this.#served.keys());
    await this.#signOn();
    this.#join(runs);
    this.#part(runs);
    this.#shareOut();
    if (!once || this.#leaving.size > 0) return true;
    if (await areExpected(place, runs, this.#taste, this.#stopped)) return true;
    // Whoever waits for nothing more shall know what did not move.
    for (const why of pausedAmong(runs, this.#taste)) this.#tellOnce(why);
    return false;
  }

  #join(runs: readonly KnownRun[]): void {
    for (const run of runs) {
      const choice = chooseRun(run, this.#taste);
      if (choice.kind === "refuse") this.#tellOnce(choice.why);
      if (choice.kind !== "serve" || this.#barred !== null) continue;
      const { runId } = run;
      if (this.#served.has(runId) || this.#leaving.has(runId)) continue;
      if (this.#stopped.has(choice.terms.sitting)) continue;
      this.#served.set(runId, this.#serve(runId, choice.terms));
      this.#joinedAt ??= this.#parts.clock.monotonic();
      this.#parts.onEvent({ event: "joined", run_id: runId, job: choice.terms.job });
    }
  }

  #part(runs: readonly KnownRun[]): void {
    for (const [runId, served] of this.#served) {
      const run = runs.find((known) => known.runId === runId);
      const misses = run === undefined ? (this.#misses.get(runId) ?? 0) + 1 : 0;
      this.#misses.set(runId, misses);
      const isGone = misses >= LOOKS_UNTIL_GONE;
      const choice = run === undefined ? null : chooseRun(run, this.#taste);
      const isAnother = choice?.kind === "serve" && choice.terms.sitting !== served.terms.sitting;
      const isUnwanted = choice !== null && choice.kind !== "serve";
      const isStopped = this.#stopped.has(served.terms.sitting);
      if (isGone || isAnother || isUnwanted || isStopped) this.#leave(runId, served);
    }
  }

  #serve(runId: string, terms: ConstructorParameters<typeof ServedRun>[1]): ServedRun {
    const { place, card, client, governor, clock, random, log, ending } = this.#parts;
    const throttledBefore = governor.throttledMs;
    const meter =
      this.#parts.metrics?.watch(runId, {
        inFlight: () => served.inFlight,
        throttledMs: () => governor.throttledMs - throttledBefore,
        // Prices are the owner's.
        costOf: () => null,
      }) ?? null;
    const served = new ServedRun(
      {
        place: { ...place, runId },
        worker: card.id,
        client,
        governor,
        health: this.#health,
        turns: this.#turns,
        capacity: card.concurrency,
        clock,
        random,
        log: log.child({ run: runId }),
        ending,
        meter,
        onOutcome: (outcome) => this.#count(outcome),
        onFault: (message) => {
          this.#stopped.add(terms.sitting);
          this.#tellOnce(
            `takes no more items of run ${runId}: ${message}. Start it again when that is mended`,
          );
        },
        onTrouble: ({ reason, message, remedy }) => {
          this.#stopped.add(terms.sitting);
          this.#tellOnce(`run ${runId} stops: ${message}. ${remedy}`);
          if (reason === "account") void this.#bar(message);
        },
      },
      terms,
    );
    return served;
  }

  /** Takes nothing of any run until the gateway has shown that it takes the key. */
  async #bar(message: string): Promise<void> {
    if (this.#barred !== null) return;
    const { client, card, clock, stopping } = this.#parts;
    this.#barred = `the account: ${message}`;
    while (!stopping.aborted) {
      try {
        await untilUsable(client, card.base_url, clock, stopping, () => {});
        break;
      } catch {
        await clock.sleep(BARRED_MS, stopping).catch(() => {});
      }
    }
    this.#barred = null;
  }

  /** As much in hand from each run; what that means for the calls at once, the turns decide. */
  #shareOut(): void {
    const { card, governor } = this.#parts;
    const each = Math.ceil((card.concurrency * HELD_PER_SLOT) / Math.max(1, this.#served.size));
    const { awayMs } = governor;
    for (const served of this.#served.values()) {
      served.setCapacity(each);
      if (awayMs === null || awayMs <= served.terms.max_outage_ms) continue;
      const { message, remedy } = outageStop(governor.lastMessage, awayMs);
      served.tell({ reason: "outage", message, remedy }).catch(() => {});
    }
    governor.allow(strictest([...this.#served.values()].map(({ terms }) => terms)));
  }

  #leave(runId: string, served: ServedRun): void {
    this.#served.delete(runId);
    this.#misses.delete(runId);
    this.#leaving.set(runId, served);
    void served
      .close()
      .catch(() => {})
      .finally(() => {
        this.#leaving.delete(runId);
        this.#parts.metrics?.unwatch(runId);
        this.#parts.onEvent({ event: "left", run_id: runId });
      });
  }

  async #leaveAll(): Promise<void> {
    const { place, card, clock } = this.#parts;
    const all = [...this.#served, ...this.#leaving];
    const longest = Math.max(0, ...all.map(([, { terms }]) => patience(terms)));
    for (const [runId, served] of this.#served) this.#leave(runId, served);
    const began = clock.monotonic();
    const isSeen = (): boolean => clock.monotonic() - (this.#joinedAt ?? -Infinity) > SEEN_MS;
    while (!isSeen() || (this.#leaving.size > 0 && clock.monotonic() - began < longest)) {
      // As long as it has something in hand, it is there.
      if (place.connection.status === "ready") await this.#signOn().catch(() => {});
      await clock.sleep(LEAVE_LOOK_MS);
    }
    if (place.connection.status === "ready") await signOff(place, card.id).catch(() => {});
  }

  async #signOn(): Promise<void> {
    const { place, card } = this.#parts;
    const all = [...this.#served, ...this.#leaving];
    const calls = Object.fromEntries(all.map(([runId, { inFlight }]) => [runId, inFlight]));
    // Whoever sees that it is there must see what it has in hand.
    await Promise.all([
      ...all.map(([, served]) => served.showHands()),
      signOn(place, { ...card, in_flight: calls }),
    ]);
  }

  #count(outcome: Outcome): void {
    if (outcome.kind === "completed") this.#completed += 1;
    else this.#failed += 1;
  }

  #tell(): void {
    const { clock, place, governor, onEvent } = this.#parts;
    const all = [...this.#served.values(), ...this.#leaving.values()];
    this.#meter.note(clock.monotonic(), this.#completed + this.#failed, 0);
    onEvent({
      event: "progress",
      runs: [...this.#served.keys()],
      in_flight: governor.inFlight,
      in_hand: all.reduce((sum, { inHand }) => sum + inHand, 0),
      completed: this.#completed,
      failed: this.#failed,
      items_per_second: Math.round(this.#meter.rates.items * 10) / 10,
      waiting: place.connection.status === "ready" ? this.#barred : "Redis does not answer",
    });
  }

  #tellOnce(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#parts.onEvent({ event: "warning", message });
    this.#parts.log.warn({ event: "worker.warning" }, message);
  }
}

/** How long one call of a run may take. */
function patience({ timeout_ms: timeoutMs, stream }: ServedRun["terms"]): number {
  return timeoutMs * (stream ? STREAMED : 1) + LEAVE_MS;
}
