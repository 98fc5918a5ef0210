import { join } from "node:path";

import type { Bench } from "../harness/bench.ts";
import { BASELINE } from "../harness/contenders.ts";
import { writeInput } from "../harness/input.ts";
import { inRounds, ratiosOf, resultsOf, type Round } from "../harness/rounds.ts";
import { figure, megabytes, ratio, spread } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import { type Measured, runWhole } from "../harness/whole-process.ts";

const ITEMS = 30_000;
const RUNS = 3;

/** Items per second over the whole process, and what an item costs it. */
export async function speed(bench: Bench): Promise<string> {
  const items = bench.items ?? ITEMS;
  const runs = bench.runs ?? RUNS;
  const input = join(bench.directory, "speed.csv");
  await writeInput(input, items);

  const rounds = await inRounds(
    bench,
    { title: "speed", runs },
    (contender) =>
      runWhole(contender, {
        input,
        items,
        directory: join(bench.directory, "speed"),
        baseURL: bench.gateway,
        concurrency: bench.concurrency,
      }),
    ({ seconds }) => `${figure(items / seconds)} items/s`,
  );

  return [
    `speed: ${figure(items)} items, ${bench.concurrency} in flight, ${runs} runs; median (min-max)`,
    table(
      [
        "",
        "items/s",
        `to ${BASELINE}`,
        "CPU ms/item",
        "main thread ms/item",
        "loop busy %",
        "peak RSS MB",
      ],
      bench.contenders.map(({ name }) => row(name, items, rounds)),
    ),
  ].join("\n\n");
}

function row(name: string, items: number, rounds: readonly Round<Measured>[]): string[] {
  const runs = resultsOf(rounds, name);
  const mainThread = runs.flatMap(({ mainThreadMs }) => mainThreadMs ?? []);
  return [
    name,
    spread(runs.map(({ seconds }) => items / seconds)),
    ratio(ratiosOf(rounds, name, (own, baseline) => baseline.seconds / own.seconds)),
    spread(
      runs.map(({ cpuMs }) => cpuMs / items),
      3,
    ),
    spread(
      mainThread.map((ms) => ms / items),
      3,
    ),
    spread(runs.map(({ loopBusy }) => loopBusy * 100)),
    spread(runs.map(({ peakRssBytes }) => megabytes(peakRssBytes))),
  ];
}
