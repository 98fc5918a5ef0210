import { getEventListeners } from "node:events";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Answer, type Answering, answerItem } from "../../../src/gateway/answer-item.ts";
import type { AttemptBudget } from "../../../src/gateway/attempt-budget.ts";
import { Governor } from "../../../src/gateway/governor.ts";
import type { Reply } from "../../../src/gateway/reply.ts";
import type { Item } from "../../../src/item.ts";
import { seededRandom } from "../../../src/system/random.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";
import {
  aCompletion,
  anAnswer,
  anError,
  aSilence,
  type Call,
  FakeGateway,
} from "../../fakes/fake-gateway.ts";

const STOP = new Error("stop");
const END = new Error("end");

function anItem(index = 0): Item {
  return { index, customId: `row-${index}`, model: "gpt-4o-mini", body: `{"n":${index}}` };
}

interface Desk {
  readonly clock: FakeClock;
  readonly gateway: FakeGateway;
  readonly governor: Governor;
  readonly answering: Answering;
  readonly stopping: AbortController;
  readonly ending: AbortController;
  /** Another item is answered. */
  readonly sawAnswer: () => void;
  /** Answers an item; what came of it appears here. */
  readonly begin: (item?: Item) => { answer?: Answer; error?: unknown };
}

interface DeskOptions {
  readonly attempts?: number;
  readonly concurrency?: number;
  readonly random?: () => number;
  /** The gateway answers something else between any two calls. */
  readonly othersComplete?: boolean;
  /** The gateway lists its models when it is asked to. */
  readonly isAlive?: boolean;
}

function aDesk(script: (call: Call) => Reply, options: DeskOptions = {}): Desk {
  const clock = new FakeClock();
  let answers = 1;
  const gateway = new FakeGateway(clock, (call) => {
    if (options.othersComplete === true) answers += 1;
    return script(call);
  });
  const random = options.random ?? (() => 1);
  const concurrency = options.concurrency ?? 4;
  const governor = new Governor({ concurrency, rpm: null, tpm: null, clock, random });
  const stopping = new AbortController();
  const ending = new AbortController();
  const answering: Answering = {
    client: gateway,
    governor,
    policy: { attempts: options.attempts ?? 6, timeoutMs: 1_000, stream: false, onLength: "keep" },
    clock,
    random,
    tokensOf: () => 1,
    budget: null,
    onVerdict: (_item, verdict) => {
      if (verdict.class === "completed") answers += 1;
    },
    answersSeen: () => answers,
    lookForLife: () => {
      if (options.isAlive === true) answers += 1;
      return Promise.resolve();
    },
    stopping: stopping.signal,
    ending: ending.signal,
  };
  const begin = (item = anItem()): { answer?: Answer; error?: unknown } => {
    const came: { answer?: Answer; error?: unknown } = {};
    answerItem(item, answering).then(
      (answer) => (came.answer = answer),
      (error: unknown) => (came.error = error),
    );
    return came;
  };
  return {
    clock,
    gateway,
    governor,
    answering,
    stopping,
    ending,
    sawAnswer: () => (answers += 1),
    begin,
  };
}

/** Replies in their order, the last for ever. */
function replies(...list: Reply[]): (call: Call) => Reply {
  return ({ number }) => list[Math.min(number, list.length - 1)] ?? aCompletion();
}

const DAY_MS = 86_400_000;
const BROKEN = anError(500, "", "do request failed");
const THROTTLED = anError(429, "rate_limit_exceeded", "Please try again in 5s.");
const BAD_KEY = anError(401, "", "Invalid token");
/** An answer without one: possibly billed, and no outage. */
const EMPTY = anAnswer(200, '{"choices":[]}');

function leftovers({ clock, governor, stopping, ending }: Desk): unknown {
  return {
    timers: clock.pending,
    inFlight: governor.inFlight,
    listeners: [stopping, ending].flatMap(({ signal }) => getEventListeners(signal, "abort")),
  };
}
const NOTHING = { timers: 0, inFlight: 0, listeners: [] };

describe("an item", () => {
  it("completes with the gateway's answer", async () => {
    const desk = aDesk(replies(aCompletion({ total_tokens: 12 })));
    const came = desk.begin();
    await desk.clock.advance(100);
    expect(came.answer?.outcome).toMatchObject({
      kind: "completed",
      index: 0,
      customId: "row-0",
      attempts: 1,
      ms: 100,
      possiblyBilled: 0,
      retries: {},
      summary: { model: "gpt-4o-mini", finishReason: "stop", usage: { total: 12 } },
      response: { status: 200 },
    });
  });

  it("is sent as it is, with the policy's time", async () => {
    const { begin, clock, gateway } = aDesk(replies(aCompletion()));
    begin(anItem(7));
    await clock.advance(100);
    expect(gateway.calls[0]).toMatchObject({
      body: '{"n":7}',
      options: { stream: false, timeoutMs: 1_000 },
    });
  });

  it("holds its slot until the answer is recorded", async () => {
    const desk = aDesk(replies(aCompletion()));
    const came = desk.begin();
    await desk.clock.advance(100);
    expect(desk.governor.inFlight).toBe(1);
    came.answer?.free();
    expect(leftovers(desk)).toEqual(NOTHING);
  });

  it("is tried again after a pause, and says what went wrong before", async () => {
    const { begin, clock, gateway } = aDesk(replies(BROKEN, aSilence("refused"), aCompletion()));
    const came = begin();
    await clock.advance(DAY_MS);
    const [first = 0, ...later] = gateway.calls.map(({ at }) => at);
    // A call takes 100 ms; the pauses are 1 and 2 s at most, and here they are the most.
    expect(later.map((at) => at - first)).toEqual([1_100, 3_200]);
    expect(came.answer?.outcome).toMatchObject({
      kind: "completed",
      attempts: 3,
      retries: { http_500: 1, connection_refused: 1 },
    });
  });

  it("holds no slot while it waits to be tried again", async () => {
    const { begin, clock, governor } = aDesk(replies(BROKEN, aCompletion()));
    begin();
    await clock.advance(500);
    expect(governor.inFlight).toBe(0);
  });

  it("lets another item go while it waits to be tried again", async () => {
    const { begin, clock } = aDesk(replies(BROKEN, aCompletion()), { concurrency: 1 });
    begin(anItem(0));
    const other = begin(anItem(1));
    await clock.advance(200);
    expect(other.answer?.outcome.kind).toBe("completed");
  });

  it("fails when its attempts are exhausted, with the last answer", async () => {
    const desk = aDesk(replies(BROKEN), { attempts: 3, othersComplete: true });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "failed",
      class: "retry",
      attempts: 3,
      ms: 100,
      retries: { http_500: 3 },
      error: { code: "http_500", message: "do request failed" },
      response: { status: 500, body: BROKEN.body },
    });
    expect([desk.gateway.calls.length, leftovers(desk)]).toEqual([3, NOTHING]);
  });

  it("fails at once when it is itself at fault", async () => {
    const desk = aDesk(replies(anError(400, "context_length_exceeded", "too long")));
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "failed",
      class: "item",
      attempts: 1,
      error: { code: "context_length_exceeded", message: "too long" },
    });
    expect([desk.gateway.calls.length, leftovers(desk)]).toEqual([1, NOTHING]);
  });

  it("keeps a code that is also a name of JavaScript's", async () => {
    const desk = aDesk(replies(anError(500, "constructor"), aCompletion()));
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome.retries).toEqual({ constructor: 1 });
  });
});

describe("a throttled item", () => {
  it("waits as long as told, and no attempt is counted", async () => {
    const { begin, clock, gateway } = aDesk(replies(THROTTLED, THROTTLED, aCompletion()), {
      attempts: 1,
      random: () => 0,
    });
    const came = begin();
    await clock.advance(DAY_MS);
    const [first = 0, ...later] = gateway.calls.map(({ at }) => at);
    expect(later.map((at) => at - first)).toEqual([5_100, 10_200]);
    expect(came.answer?.outcome).toMatchObject({
      kind: "completed",
      attempts: 1,
      retries: { rate_limit_exceeded: 2 },
    });
  });

  it("fails as rate_limited after ten times while others complete", async () => {
    const desk = aDesk(replies(THROTTLED), { othersComplete: true });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "failed",
      class: "throttled",
      error: { code: "rate_limited", message: "Please try again in 5s." },
    });
    expect([desk.gateway.calls.length, leftovers(desk)]).toEqual([10, NOTHING]);
  });

  it("goes on for as long as nobody is let through", async () => {
    const { begin, clock, gateway } = aDesk(replies(THROTTLED));
    const came = begin();
    await clock.advance(1_000_000);
    expect(gateway.calls.length).toBeGreaterThan(100);
    expect(came).toEqual({});
  });
});

describe("an item in an outage", () => {
  it("loses no attempt while the gateway answers nobody", async () => {
    const { begin, clock } = aDesk(
      ({ number }) => (number < 30 ? aSilence("timeout") : aCompletion()),
      { attempts: 2 },
    );
    const came = begin();
    await clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "completed",
      possiblyBilled: 30,
      retries: { timeout: 30 },
    });
  });

  it("loses an attempt each time that the gateway has answered something else", async () => {
    const { begin, clock, gateway, sawAnswer } = aDesk(replies(BROKEN), { attempts: 2 });
    const came = begin();
    await clock.advance(200_000);
    sawAnswer();
    await clock.advance(200_000);
    expect(came).toEqual({});
    sawAnswer();
    await clock.advance(200_000);
    expect(came.answer?.outcome).toMatchObject({ kind: "failed", class: "retry" });
    expect(gateway.calls.length).toBeGreaterThan(2);
  });
});

describe("an item that fails alone, while the gateway lists its models,", () => {
  it("is not asked more often than attempts allow", async () => {
    const desk = aDesk(replies(BROKEN), { attempts: 4, isAlive: true });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({ kind: "failed", class: "retry", attempts: 4 });
  });

  it("is not bought more than three times", async () => {
    const desk = aDesk(replies(aSilence("timeout")), { attempts: 20, isAlive: true });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({ kind: "failed", possiblyBilled: 3 });
  });

  it("fails when it is refused as if the account were at fault", async () => {
    const desk = aDesk(replies(BAD_KEY), { attempts: 2, isAlive: true });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({ kind: "failed", class: "item", attempts: 5 });
  });
});

describe("an item that was possibly billed", () => {
  it("is tried twice more", async () => {
    const desk = aDesk(replies(EMPTY), { attempts: 20 });
    const came = desk.begin();
    await desk.clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "failed",
      class: "retry",
      possiblyBilled: 3,
      error: { code: "no_choices" },
    });
    expect(desk.gateway.calls).toHaveLength(3);
  });

  it("is tried as often as others where nothing was billed", async () => {
    const { begin, clock, gateway } = aDesk(replies(anError(408, ""), EMPTY, anError(408, "")), {
      attempts: 7,
    });
    begin();
    await clock.advance(DAY_MS);
    expect(gateway.calls).toHaveLength(7);
  });
});

describe("an item whose call blames the account", () => {
  it("is not failed before the run can stop, even where it may be tried but once", async () => {
    const { begin, clock, gateway } = aDesk(replies(BAD_KEY, BAD_KEY, aCompletion()), {
      attempts: 1,
      othersComplete: true,
    });
    const came = begin();
    await clock.advance(DAY_MS);
    expect([came.answer?.outcome.kind, gateway.calls.length]).toEqual(["completed", 3]);
  });

  it("fails when that goes on while others complete", async () => {
    const { begin, clock } = aDesk(replies(BAD_KEY), { attempts: 1, othersComplete: true });
    const came = begin();
    await clock.advance(DAY_MS);
    expect(came.answer?.outcome).toMatchObject({
      kind: "failed",
      class: "item",
      attempts: 5,
      error: { code: "invalid_key" },
    });
  });

  it("stays pending when that stops the run, whatever its attempts", async () => {
    const desk = aDesk(replies(BAD_KEY), { attempts: 5, othersComplete: true });
    const came = desk.begin();
    while (desk.gateway.calls.length < 5) await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    await desk.clock.advance(DAY_MS);
    expect([came, leftovers(desk)]).toEqual([{ error: STOP }, NOTHING]);
  });
});

describe("an attempt under a budget", () => {
  interface Books {
    readonly budget: AttemptBudget;
    readonly log: string[];
    /** Lets those who wait for room go. */
    readonly open: () => void;
  }

  function books(room: boolean): Books {
    const log: string[] = [];
    let open = (): void => {};
    const opened = room ? Promise.resolve() : new Promise<void>((resolve) => (open = resolve));
    const budget: AttemptBudget = {
      reserve: async () => {
        await opened;
        return {
          sent: () => void log.push("sent"),
          settle: (verdict) => void log.push(verdict?.class ?? "broken off"),
          cancel: () => void log.push("cancelled"),
        };
      },
    };
    return { budget, log, open: () => open() };
  }

  it("holds no slot while it waits for room", async () => {
    const desk = aDesk(replies(aCompletion()), { concurrency: 1 });
    const { budget, log, open } = books(false);
    answerItem(anItem(0), { ...desk.answering, budget }).catch(() => {});
    const other = desk.begin(anItem(1));
    await desk.clock.advance(200);
    expect([other.answer?.outcome.kind, log]).toEqual(["completed", []]);
    other.answer?.free();
    open();
    await desk.clock.advance(200);
    expect(log).toEqual(["sent", "completed"]);
  });

  it("is reserved, sent and settled anew each time", async () => {
    const desk = aDesk(replies(BROKEN, aCompletion()));
    const { budget, log } = books(true);
    answerItem(anItem(), { ...desk.answering, budget }).catch(() => {});
    await desk.clock.advance(DAY_MS);
    expect(log).toEqual(["sent", "retry", "sent", "completed"]);
  });

  it("is cancelled when the run stops before it was sent", async () => {
    const desk = aDesk(replies(aCompletion()), { concurrency: 1 });
    desk.begin(anItem(0));
    const { budget, log } = books(true);
    answerItem(anItem(1), { ...desk.answering, budget }).catch(() => {});
    await settle();
    desk.stopping.abort(STOP);
    await settle();
    expect(log).toEqual(["cancelled"]);
  });

  it("is not sent where that cannot be noted, and gives its slot back", async () => {
    const desk = aDesk(replies(aCompletion()));
    const { budget, log } = books(true);
    const full: AttemptBudget = {
      reserve: async (item, signal) => {
        const reservation = await budget.reserve(item, signal);
        return { ...reservation, sent: () => expect.unreachable("disk full") };
      },
    };
    const failed = answerItem(anItem(), { ...desk.answering, budget: full });
    await expect(failed).rejects.toThrow("disk full");
    expect([desk.gateway.calls, log, leftovers(desk)]).toEqual([[], ["cancelled"], NOTHING]);
  });

  it("is settled as broken off when everything must end", async () => {
    const desk = aDesk(replies(aCompletion()));
    const { budget, log } = books(true);
    answerItem(anItem(), { ...desk.answering, budget }).catch(() => {});
    await settle();
    desk.ending.abort(END);
    await settle();
    expect(log).toEqual(["sent", "broken off"]);
  });
});

describe("when the run stops, an item", () => {
  const outage: Reply[] = Array.from({ length: 10 }, () => BROKEN);

  it.each([
    ["waits to be tried again", [BROKEN], 500],
    ["waits at the closed gate", [THROTTLED], 500],
    ["waits for the outage's end", outage, 150_000],
  ])("that %s stays pending and leaves nothing behind", async (_name, script, ms) => {
    const desk = aDesk(replies(...script));
    const came = desk.begin();
    await desk.clock.advance(ms);
    desk.stopping.abort(STOP);
    await settle();
    while (desk.governor.inFlight > 0) await desk.clock.advance(100);
    expect([came, leftovers(desk)]).toEqual([{ error: STOP }, NOTHING]);
  });

  it("that waits for a slot stays pending", async () => {
    const desk = aDesk(replies(aCompletion()), { concurrency: 1 });
    const first = desk.begin(anItem(0));
    const second = desk.begin(anItem(1));
    await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    await desk.clock.advance(50);
    first.answer?.free();
    expect([second, desk.gateway.calls.length, leftovers(desk)]).toEqual([
      { error: STOP },
      1,
      NOTHING,
    ]);
  });

  it("that is being answered completes", async () => {
    const desk = aDesk(replies(aCompletion()));
    const came = desk.begin();
    await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    await desk.clock.advance(50);
    expect(came.answer?.outcome.kind).toBe("completed");
  });

  it("that is being refused for good fails: its answer is final", async () => {
    const desk = aDesk(replies(anError(400, "invalid_prompt")));
    const came = desk.begin();
    await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    await desk.clock.advance(50);
    expect(came.answer?.outcome).toMatchObject({ kind: "failed", class: "item" });
  });

  it("that is in vain in flight stays pending", async () => {
    const desk = aDesk(replies(BROKEN));
    const came = desk.begin();
    await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    await desk.clock.advance(50);
    expect([came, leftovers(desk)]).toEqual([{ error: STOP }, NOTHING]);
  });

  it("that has not begun is never sent", async () => {
    const desk = aDesk(replies(aCompletion()));
    desk.stopping.abort(STOP);
    const came = desk.begin();
    await settle();
    expect([came, desk.gateway.calls]).toEqual([{ error: STOP }, []]);
  });
});

describe("when everything must end at once, an item", () => {
  it("in flight is broken off and stays pending", async () => {
    const desk = aDesk(replies(aCompletion()));
    const came = desk.begin();
    await desk.clock.advance(50);
    desk.stopping.abort(STOP);
    desk.ending.abort(END);
    await settle();
    expect([came, leftovers(desk)]).toEqual([{ error: END }, NOTHING]);
  });

  it("in flight as the outage's probe leaves that place to the next", async () => {
    const desk = aDesk(({ number }) => (number < 10 ? BROKEN : aCompletion()));
    desk.begin();
    while (desk.gateway.calls.length < 11) await desk.clock.advance(50);
    const waiting = desk.governor.enter(() => 1, new AbortController().signal);
    desk.ending.abort(END);
    await expect(waiting).resolves.toBeDefined();
  });
});

describe("many items, whatever the gateway does", () => {
  it("all end, never more of them in flight than allowed, and leave nothing behind", async () => {
    const reply = fc.constantFrom(
      aCompletion(),
      aCompletion(),
      aCompletion(),
      BROKEN,
      THROTTLED,
      EMPTY,
      aSilence("reset"),
      aSilence("timeout"),
      anError(400, "invalid_prompt"),
      anError(503, "", "overloaded"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(reply, { maxLength: 60 }), fc.nat(), async (list, seed) => {
        const desk = aDesk(({ number }) => list[number] ?? aCompletion(), {
          concurrency: 3,
          random: seededRandom(seed),
        });
        const came = Array.from({ length: 12 }, (_, index) => desk.begin(anItem(index)));
        for (let hour = 0; hour < 24 && came.some(({ answer }) => !answer); hour += 1) {
          for (let turn = 0; turn < 20; turn += 1) {
            for (const { answer } of came) answer?.free();
            for (const one of came) if (one.answer) one.answer = { ...one.answer, free: () => {} };
            await desk.clock.advance(180_000);
          }
        }
        for (const { answer } of came) answer?.free();
        expect(came.map(({ answer }) => answer?.outcome.index)).toEqual([...came.keys()]);
        expect(desk.gateway.mostInFlight).toBeLessThanOrEqual(3);
        expect(leftovers(desk)).toEqual(NOTHING);
      }),
      { numRuns: 20 },
    );
  });
});
