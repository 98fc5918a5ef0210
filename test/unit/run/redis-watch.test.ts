import { EventEmitter } from "node:events";

import { pino } from "pino";
import { describe, expect, test } from "vitest";

import type { Connection } from "../../../src/queue/connection.ts";
import type { RunEvent } from "../../../src/run/events.ts";
import { watchRedis } from "../../../src/run/redis-watch.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

function watched() {
  const connection = new EventEmitter();
  const clock = new FakeClock();
  const events: RunEvent[] = [];
  let filledAgain = 0;
  const unwatch = watchRedis({
    // Only its events are listened to.
    connection: connection as unknown as Connection,
    clock,
    log: pino({ level: "silent" }),
    onEvent: (event) => events.push(event),
    onBack: () => (filledAgain += 1),
  });
  return { connection, clock, events, unwatch, filledAgain: () => filledAgain };
}

function refusal(message: string): Error {
  return Object.assign(new Error(message), { name: "ReplyError" });
}

describe("a Redis that goes away", () => {
  test("is told of once, however often reconnecting fails", () => {
    const { connection, events } = watched();
    connection.emit("close");
    connection.emit("error", new Error("connect ECONNREFUSED"));
    connection.emit("close");
    connection.emit("error", new Error("connect ECONNREFUSED"));
    connection.emit("close");
    expect(events).toEqual([{ event: "redis_lost" }]);
  });

  test("is told of when it is back, with how long it was away, and filled again", async () => {
    const { connection, clock, events, filledAgain } = watched();
    connection.emit("close");
    await clock.advance(12_340);
    connection.emit("ready");
    expect(events).toEqual([{ event: "redis_lost" }, { event: "redis_back", seconds: 12.3 }]);
    expect(filledAgain()).toBe(1);
  });

  test("and refuses us on coming back, says why, once", () => {
    const { connection, events } = watched();
    connection.emit("close");
    for (let attempt = 0; attempt < 3; attempt += 1) {
      connection.emit("error", refusal("WRONGPASS invalid username-password pair"));
      connection.emit("close");
    }
    expect(events).toEqual([
      { event: "redis_lost" },
      {
        event: "warning",
        message: "Redis refuses the connection: WRONGPASS invalid username-password pair",
      },
    ]);
  });

  test("a second time is told of again", () => {
    const { connection, events } = watched();
    for (const event of ["close", "ready", "close"]) connection.emit(event);
    expect(events.map(({ event }) => event)).toEqual(["redis_lost", "redis_back", "redis_lost"]);
  });

  test("concerns nobody any more when the watch has ended", () => {
    const { connection, events, unwatch } = watched();
    unwatch();
    connection.emit("close");
    expect(events).toEqual([]);
    expect(connection.eventNames()).toEqual([]);
  });
});
