import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { pino } from "pino";

import { Ledger } from "../../../src/ledger/ledger.ts";
import { pendingAmong } from "../../../src/ledger/select.ts";
import type { Outcome } from "../../../src/outcome.ts";
import { connect } from "../../../src/queue/connection.ts";
import { deliver, openOutcomeStream } from "../../../src/queue/outcome-stream.ts";
import { Window } from "../../../src/queue/window.ts";
import { Inbox } from "../../../src/run/inbox.ts";
import { Recording } from "../../../src/run/recording.ts";
import { systemClock } from "../../../src/system/clock.ts";
import type { Bench } from "../../harness/bench.ts";
import { startRedis } from "../../harness/service.ts";
import { figure } from "../../harness/statistics.ts";
import { table } from "../../harness/table.ts";

const OUTCOMES = 50_000;
/** So that the code is compiled: not counted. */
const WARM_UP = 10_000;

/** The owner's CPU time for an outcome that lies in Redis, until it is on disk and out of Redis. */
export async function recording(bench: Bench): Promise<string> {
  const redis = await startRedis();
  const connection = await connect(redis.url);
  const directory = join(bench.directory, "recording");
  mkdirSync(directory);
  const place = { connection, prefix: "nightshift", runId: "run" };
  const ledger = await Ledger.open(directory, "run", () => null);
  const wanted = pendingAmong(ledger.items, WARM_UP + OUTCOMES);
  const written = new Recording(
    { ledger, wanted, onOutcome: ({ index }) => wanted.done(index) },
    new Window(),
  );
  const inbox = new Inbox({
    stream: openOutcomeStream(place),
    record: (outcome) => written.record(outcome),
    onTrouble: () => {},
    onUnrecorded: (error) => bench.fail("workers: an outcome was not recorded", error),
    clock: systemClock,
    log: pino({ level: "silent" }),
  });
  const fill = async (from: number, count: number): Promise<void> => {
    for (let at = from; at < from + count; at += 500) {
      await Promise.all(
        Array.from({ length: 500 }, (_, offset) =>
          deliver(place, { kind: "outcome", outcome: anOutcome(at + offset) }),
        ),
      );
    }
  };
  try {
    await fill(0, WARM_UP);
    await inbox.caughtUp();
    await fill(WARM_UP, OUTCOMES);
    const [before, main, began] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
    await inbox.caughtUp();
    const all = process.cpuUsage(before);
    const thread = process.threadCpuUsage(main);
    const ms = performance.now() - began;
    if (ledger.items.completed !== WARM_UP + OUTCOMES) {
      throw new Error(`only ${ledger.items.completed} outcomes were recorded`);
    }
    const each = ({ user, system }: NodeJS.CpuUsage): string =>
      figure((user + system) / 1_000 / OUTCOMES, 3);
    return [
      `workers: the owner's part in ${figure(OUTCOMES)} outcomes from elsewhere`,
      table(
        ["", "CPU ms/item", "main thread ms/item", "items/s"],
        [["recording alone", each(all), each(thread), figure((1_000 * OUTCOMES) / ms)]],
      ),
    ].join("\n\n");
  } finally {
    await inbox.close();
    await ledger.close();
    connection.disconnect();
    await redis.stop();
  }
}

function anOutcome(index: number): Outcome {
  const usage = { prompt: 60, completion: 20, total: 80, cached: 0, reasoning: 0 };
  const content = "The review is positive: it does what it should, and came in time. ".repeat(2);
  const body = JSON.stringify({
    id: `chatcmpl-${index}`,
    object: "chat.completion",
    created: 1_767_225_600,
    model: "gpt-4o-mini",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 60, completion_tokens: 20, total_tokens: 80 },
  });
  return {
    kind: "completed",
    index,
    customId: `review-${index}`,
    attempts: 1,
    ms: 412.25,
    possiblyBilled: 0,
    retries: {},
    summary: { model: "gpt-4o-mini", finishReason: "stop", usage },
    response: { status: 200, requestId: `req-${index}`, body },
  };
}
