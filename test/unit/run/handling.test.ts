import { describe, expect, test } from "vitest";

import { Governor } from "../../../src/gateway/governor.ts";
import type { Reply } from "../../../src/gateway/reply.ts";
import { ItemTable } from "../../../src/ledger/item-table.ts";
import type { Outcome } from "../../../src/outcome.ts";
import { jobId } from "../../../src/queue/keys.ts";
import { alone } from "../../../src/queue/parcel.ts";
import { Window } from "../../../src/queue/window.ts";
import { Handling } from "../../../src/run/handling.ts";
import { Hold } from "../../../src/run/hold.ts";
import { Recording } from "../../../src/run/recording.ts";
import { FakeClock, settle } from "../../fakes/fake-clock.ts";
import { aCompletion, anError, type Call, FakeGateway } from "../../fakes/fake-gateway.ts";
import { anItem } from "../../fakes/outcomes.ts";

const BROKEN = anError(500, "", "do request failed");

function aDesk(script: (call: Call) => Reply = () => aCompletion()) {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock, script);
  const stopping = new AbortController();
  const hold = new Hold(stopping.signal);
  const window = new Window();
  for (const index of [0, 1, 2]) {
    window.put(anItem(index));
    window.send(alone(anItem(index)));
  }
  const wanted = new Set([0, 1, 2]);
  const recorded: Outcome[] = [];
  const stops: unknown[] = [];
  const random = (): number => 1;
  const recording = new Recording(
    {
      ledger: {
        record: (outcome) => Promise.resolve(void recorded.push(outcome)),
        items: new ItemTable(),
      },
      wanted,
      onOutcome: ({ index }) => wanted.delete(index),
    },
    window,
  );
  const handling = new Handling({
    answering: {
      client: gateway,
      governor: new Governor({ concurrency: 4, rpm: null, tpm: null, clock, random }),
      policy: { attempts: 6, timeoutMs: 1_000, stream: false, onLength: "keep" },
      clock,
      random,
      tokensOf: () => 1,
      budget: null,
      onVerdict: () => {},
      answersSeen: () => 1,
      lookForLife: () => Promise.resolve(),
      ending: new AbortController().signal,
    },
    hold,
    recording,
    window,
    stop: (reason) => stops.push(reason),
  });
  /** Hands an item out; what became of it appears here. */
  const hand = (index: number, takeovers = 0, parcel = jobId(index)): unknown[] => {
    const came: unknown[] = [];
    void handling
      .handle({ item: anItem(index), parcel, takeovers, token: "t" })
      .then((handled) => came.push(handled));
    return came;
  };
  return { clock, gateway, hold, stopping, handling, recorded, stops, hand };
}

describe("an item in the owner's hands", () => {
  test("is recorded, and done then", async () => {
    const { clock, handling, recorded, hand } = aDesk();
    const came = hand(0);
    expect([handling.has(0), handling.size]).toEqual([true, 1]);
    await clock.advance(100);
    expect([came, recorded.length, handling.size]).toEqual([["done"], 1, 0]);
  });

  test("is called once, however often it is handed out meanwhile", async () => {
    const { clock, gateway, hand } = aDesk();
    const came = [hand(0), hand(0)];
    await clock.advance(100);
    expect([came, gateway.calls.length, hand(0)]).toEqual([[["done"], ["done"]], 1, []]);
    await settle();
    expect(gateway.calls).toHaveLength(1);
  });

  test("is not taken from a parcel in which it travels no longer", async () => {
    const { clock, gateway, hand } = aDesk();
    const came = hand(0, 0, "i0x3");
    await clock.advance(100);
    expect([came, gateway.calls.length]).toEqual([["done"], 0]);
  });

  test("is given back when the run is held while it waits to try again", async () => {
    const { clock, gateway, hold, stops, hand } = aDesk(() => BROKEN);
    const came = hand(0);
    await clock.advance(150);
    hold.on();
    await clock.advance(60_000);
    expect([came, gateway.calls.length, stops]).toEqual([["back"], 1, []]);
  });

  test("is not called anew when others may have it, and what comes later is", async () => {
    const { clock, gateway, hold, hand } = aDesk(({ number }) =>
      number === 0 ? BROKEN : aCompletion(),
    );
    const waiting = hand(0);
    await clock.advance(150);
    hold.letGo();
    const later = hand(1);
    await clock.advance(60_000);
    expect([waiting, later, gateway.calls.length]).toEqual([["back"], ["done"], 2]);
  });

  test("that is in flight when others may have it is finished and recorded", async () => {
    const { clock, hold, recorded, hand } = aDesk();
    const came = hand(0);
    await clock.advance(50);
    hold.letGo();
    await clock.advance(50);
    expect([came, recorded.length]).toEqual([["done"], 1]);
  });

  test("ends without a call when five workers have died with it", async () => {
    const { gateway, recorded, hand } = aDesk();
    const came = hand(0, 5);
    await settle();
    expect([came, gateway.calls.length]).toEqual([["done"], 0]);
    expect(recorded).toMatchObject([{ kind: "failed", error: { code: "worker_lost" } }]);
  });

  test("stops the run where nobody foresaw what happened, and stays pending", async () => {
    const { clock, stops, recorded, hand } = aDesk(() => {
      throw new Error("a bug");
    });
    const came = hand(0);
    await clock.advance(100);
    expect([came, stops.length, recorded]).toEqual([["back"], 1, []]);
  });
});
