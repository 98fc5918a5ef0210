import { pino } from "pino";
import { describe, expect, test } from "vitest";

import type { Outcome } from "../../../src/outcome.ts";
import type { Message, Trouble } from "../../../src/queue/message.ts";
import type { Entry, OutcomeStream } from "../../../src/queue/outcome-stream.ts";
import { Inbox, type InboxParts } from "../../../src/run/inbox.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";
import { anOutcome } from "../../fakes/outcomes.ts";

const TROUBLE: Trouble = { reason: "account", message: "no money", remedy: "Top up." };

/** A stream in memory, whose reader waits as Redis lets it wait. */
class FakeStream implements OutcomeStream {
  entries: Entry[] = [];
  reads = 0;
  fails: Error | null = null;
  #clock: FakeClock;
  #sent = 0;
  #closed = new AbortController();

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  send(...messages: (Message | null)[]): void {
    for (const message of messages) this.entries.push({ id: `${(this.#sent += 1)}-0`, message });
  }

  async read(waitMs: number): Promise<readonly Entry[]> {
    this.reads += 1;
    if (this.fails !== null) throw this.fails;
    if (this.entries.length === 0) await this.#clock.sleep(waitMs, this.#closed.signal);
    return [...this.entries];
  }

  look(): Promise<readonly Entry[]> {
    return Promise.resolve(this.entries.slice(0, 2));
  }

  remove(entries: readonly Entry[]): Promise<void> {
    if (this.fails !== null) return Promise.reject(this.fails);
    const ids = new Set(entries.map(({ id }) => id));
    this.entries = this.entries.filter(({ id }) => !ids.has(id));
    return Promise.resolve();
  }

  close(): void {
    this.#closed.abort(new Error("closed"));
  }
}

function anInbox(options: Partial<InboxParts> = {}) {
  const clock = new FakeClock();
  const stream = new FakeStream(clock);
  const recorded: Outcome[] = [];
  const troubles: Trouble[] = [];
  const unrecorded: unknown[] = [];
  const inbox = new Inbox({
    stream,
    record: (outcome) => Promise.resolve(void recorded.push(outcome)),
    onTrouble: (trouble) => troubles.push(trouble),
    onUnrecorded: (error) => unrecorded.push(error),
    clock,
    log: pino({ level: "silent" }),
    ...options,
  });
  return { clock, stream, inbox, recorded, troubles, unrecorded };
}

function outcome(index: number): Message {
  return { kind: "outcome", outcome: anOutcome(index) };
}

describe("outcomes that workers send", () => {
  test("are recorded first and taken out of Redis then", async () => {
    const disk = Promise.withResolvers<void>();
    const { stream, inbox } = anInbox({ record: () => disk.promise });
    stream.send(outcome(0), outcome(1));
    inbox.start();
    await settle();
    expect(stream.entries).toHaveLength(2);
    disk.resolve();
    await settle();
    expect([stream.entries, inbox.received]).toEqual([[], 2]);
    await inbox.close();
  });

  test("are recorded as they come", async () => {
    const { clock, stream, inbox, recorded } = anInbox();
    inbox.start();
    await clock.advance(1_000);
    stream.send(outcome(3));
    await clock.advance(1_000);
    expect(recorded).toEqual([anOutcome(3)]);
    await inbox.close();
    expect(clock.pending).toBe(0);
  });

  test("of an earlier sitting are all recorded before anything else happens", async () => {
    const { stream, inbox, recorded } = anInbox();
    stream.send(...[0, 1, 2, 3, 4].map(outcome));
    await inbox.caughtUp();
    expect([recorded.length, stream.entries, stream.reads]).toEqual([5, [], 0]);
  });

  test("stay where they are when they cannot be recorded, and that is told", async () => {
    const full = new Error("no space");
    const { clock, stream, inbox, unrecorded } = anInbox({ record: () => Promise.reject(full) });
    stream.send(outcome(0));
    inbox.start();
    await clock.advance(10_000);
    expect([unrecorded, stream.entries.length, stream.reads]).toEqual([[full], 1, 1]);
    await inbox.close();
  });

  test("wait for a Redis that is away", async () => {
    const { clock, stream, inbox, recorded } = anInbox();
    stream.fails = new Error("gone");
    stream.send(outcome(0));
    inbox.start();
    await clock.advance(2_000);
    expect(recorded).toEqual([]);
    stream.fails = null;
    await clock.advance(500);
    expect(recorded).toHaveLength(1);
    await inbox.close();
  });

  test("that nobody understands are taken out, and harm no others", async () => {
    const { stream, inbox, recorded } = anInbox();
    stream.send(null, outcome(1));
    await inbox.caughtUp();
    expect([recorded, stream.entries, inbox.received]).toEqual([[anOutcome(1)], [], 1]);
  });
});

describe("trouble that a worker tells of", () => {
  test("is told on", async () => {
    const { clock, stream, inbox, troubles } = anInbox();
    inbox.start();
    stream.send({ kind: "trouble", trouble: TROUBLE });
    await clock.advance(2_000);
    expect(troubles).toEqual([TROUBLE]);
    await inbox.close();
  });

  test("does not stop a sitting that begins after it", async () => {
    const { stream, inbox, troubles } = anInbox();
    stream.send({ kind: "trouble", trouble: TROUBLE });
    await inbox.caughtUp();
    expect([troubles, stream.entries]).toEqual([[], []]);
  });
});
