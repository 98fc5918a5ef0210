import { messageOf } from "../errors.ts";
import { LONGEST_RECONNECT_PAUSE_MS } from "../queue/connection.ts";
import { SURE_MS } from "../queue/consumer.ts";
import { seeHands } from "../queue/hands.ts";
import type { RunPlace } from "../queue/keys.ts";
import {
  announceRun,
  forgetRun,
  leaveRun,
  type RunCounts,
  type RunState,
  type RunTerms,
  stopRun,
} from "../queue/run-info.ts";
import { type WorkerCard, workersOnline } from "../queue/worker-roll.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { matchesPattern } from "./worker/pattern.ts";

const BEAT_MS = 1_000;
/** Workers say every second what they have in hand. */
const WORKERS_SPEAK_MS = 2_500;

export interface PresenceParts {
  readonly place: RunPlace;
  readonly terms: RunTerms;
  /** When the run began, in wall-clock milliseconds. */
  readonly since: number;
  /** Whether an earlier sitting left something in Redis, and workers helped: they may have items in hand. */
  readonly wasLeft: boolean;
  /** Whether the run was paused when it was left. */
  readonly wasHeld: boolean;
  readonly counts: () => RunCounts;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who wants to know what becomes of the run on the shared Redis. */
export interface PresenceListener {
  /** Somebody steers the run, from this machine or another. */
  readonly onWanted: (state: RunState) => void;
  /** Redis had forgotten the run. */
  readonly onForgotten: () => void;
  /** The first worker has come who may take items of this run, or the last has gone. */
  readonly onWorkers: () => void;
  /** Redis has been silent for so long that others may have what this process has in hand. */
  readonly onCutOff: () => void;
}

/** Tells workers of the run as long as its owner lives, and hears what is wanted of it. */
export class Presence {
  readonly #parts: PresenceParts;
  #listener: PresenceListener | null = null;
  #state: RunState;
  #workers: readonly WorkerCard[] = [];
  #sawWorkers = false;
  #isBeating = false;
  /** When Redis took the last word, at least; infinity once it was told that it is away. */
  #heardAt = Infinity;
  /** Redis has forgotten, or may have, what workers have in hand: by then they have said it again. */
  #spokenAt = -Infinity;
  #cancelBeat = (): void => {};

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#state = parts.wasHeld ? "paused" : "running";
  }

  /** Whether the run was paused when it was left. */
  get wasHeld(): boolean {
    return this.#parts.wasHeld;
  }

  get state(): RunState {
    return this.#state;
  }

  /** Workers online that may serve this run. */
  get workers(): readonly WorkerCard[] {
    return this.#workers;
  }

  /** Whether nobody else takes items of this run now. */
  get isAlone(): boolean {
    return this.#workers.length === 0 || this.#parts.terms.budget;
  }

  /** Calls that workers elsewhere have in flight for this run. */
  get inFlight(): number {
    const { runId } = this.#parts.place;
    return this.#workers.reduce((sum, { in_flight: calls }) => sum + (calls[runId] ?? 0), 0);
  }

  /** Whether a worker was there at any time: it may still come back with an answer. */
  get sawWorkers(): boolean {
    return this.#sawWorkers;
  }

  /** Tells of the run for the first time; returns what is wanted of it. */
  async begin(): Promise<RunState> {
    const { place, wasLeft } = this.#parts;
    const { state, forgotten } = await announceRun(place, this.#announcement(), true);
    this.#state = state;
    // Whether it was away until just now, and for how long, is not known here.
    if (forgotten && wasLeft) this.#doubt(LONGEST_RECONNECT_PAUSE_MS);
    await this.#lookRound();
    return state;
  }

  /** Goes on telling, and listens. */
  start(listener: PresenceListener): void {
    this.#listener = listener;
    this.#heardAt = this.#parts.clock.monotonic();
    this.#beatLater();
  }

  stop(): void {
    this.#listener = null;
    this.#cancelBeat();
  }

  /** Redis is back, perhaps with less than it knew, and workers may find that later than we do. */
  wasAway(ms: number): void {
    this.#doubt(Math.min(ms, LONGEST_RECONNECT_PAUSE_MS));
  }

  /** What workers say they have in hand. Where Redis has forgotten it, they are waited for. */
  async claimed(signal: AbortSignal): Promise<ReadonlySet<number>> {
    const { place, clock } = this.#parts;
    for (;;) {
      while (clock.monotonic() < this.#spokenAt) {
        await clock.sleep(Math.min(BEAT_MS, this.#spokenAt - clock.monotonic()), signal);
        await this.#announce();
      }
      await this.#lookRound();
      const hands = await seeHands(
        place,
        this.#workers.map(({ id }) => id),
      );
      signal.throwIfAborted();
      // Emptied just now, Redis knows of no hands either: asked afterwards, it cannot hide that.
      await this.#announce();
      if (clock.monotonic() >= this.#spokenAt) return hands;
    }
  }

  /** Workers shall start no more calls: the owner is about to leave. */
  async leaving(): Promise<void> {
    const { place } = this.#parts;
    if (place.connection.status !== "ready") return;
    this.#state = await stopRun(place, this.#state);
  }

  /** The owner leaves a run behind that somebody still has in hand, or holds. */
  async leave(): Promise<void> {
    await leaveRun(this.#parts.place);
  }

  /** @param over whether the run has all its outcomes. */
  async forget(over: boolean): Promise<void> {
    await forgetRun(this.#parts.place, over && this.#sawWorkers);
  }

  #announcement(): Parameters<typeof announceRun>[1] {
    const { terms, since, counts } = this.#parts;
    return { terms, since, counts: counts(), state: this.#state };
  }

  #beatLater(): void {
    this.#cancelBeat = this.#parts.clock.after(BEAT_MS, () => {
      this.#beatLater();
      this.#lookForSilence();
      void this.#beat();
    });
  }

  #lookForSilence(): void {
    if (this.#parts.clock.monotonic() - this.#heardAt <= SURE_MS) return;
    this.#heardAt = Infinity;
    this.#listener?.onCutOff();
  }

  async #beat(): Promise<void> {
    const { place, clock, log } = this.#parts;
    // ioredis keeps what it is given while disconnected, for as long as that takes.
    if (this.#isBeating || place.connection.status !== "ready") return;
    this.#isBeating = true;
    const began = clock.monotonic();
    try {
      const state = await this.#announce();
      if (this.#listener === null) return;
      this.#heardAt = began;
      if (state !== this.#state) {
        this.#state = state;
        this.#listener.onWanted(state);
      }
      await this.#lookRound();
    } catch (error) {
      log.debug({ event: "presence.error", error: messageOf(error) }, "could not tell of the run");
    } finally {
      this.#isBeating = false;
    }
  }

  async #announce(): Promise<RunState> {
    const { state, forgotten } = await announceRun(this.#parts.place, this.#announcement(), false);
    if (forgotten) {
      this.#doubt(0);
      this.#listener?.onForgotten();
    }
    return state;
  }

  /** @param laterMs how much later than we workers may have found Redis. */
  #doubt(laterMs: number): void {
    const spokenAt = this.#parts.clock.monotonic() + WORKERS_SPEAK_MS + laterMs;
    this.#spokenAt = Math.max(this.#spokenAt, spokenAt);
  }

  async #lookRound(): Promise<void> {
    const { place, terms } = this.#parts;
    const online = await workersOnline(place);
    const wasAlone = this.#workers.length === 0;
    this.#workers = online.filter(
      ({ base_url: url, runs }) => url === terms.base_url && matchesPattern(runs, place.runId),
    );
    this.#sawWorkers ||= this.#workers.length > 0;
    const isAlone = this.#workers.length === 0;
    if (isAlone !== wasAlone) this.#listener?.onWorkers();
  }
}
