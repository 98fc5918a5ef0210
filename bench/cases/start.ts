import { join } from "node:path";

import type { Bench } from "../harness/bench.ts";
import { BASELINE, type Contender } from "../harness/contenders.ts";
import { writeInput } from "../harness/input.ts";
import { inRounds, ratiosOf, resultsOf, type Round } from "../harness/rounds.ts";
import { figure, ratio, spread } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import { startTap } from "../harness/tap.ts";
import { runWhole } from "../harness/whole-process.ts";

const ITEMS = 10;
const RUNS = 5;

/** Milliseconds to the first completion asked for, and to the end of a small job. */
interface Start {
  readonly firstMs: number;
  readonly wholeMs: number;
}

/** Time from spawn to the first request that the gateway sees. */
export async function start(bench: Bench): Promise<string> {
  const runs = bench.runs ?? RUNS;
  const input = join(bench.directory, "start.csv");
  await writeInput(input, ITEMS);

  const rounds = await inRounds(
    bench,
    { title: "start", runs },
    (contender) => startOnce(bench, contender, input),
    ({ firstMs }) => `${figure(firstMs)} ms`,
  );

  return [
    `start: ${ITEMS} items, ${runs} runs; median (min-max)`,
    table(
      ["", "ms to first request", `to ${BASELINE}`, "ms to exit"],
      bench.contenders.map(({ name }) => row(name, rounds)),
    ),
  ].join("\n\n");
}

async function startOnce(bench: Bench, contender: Contender, input: string): Promise<Start> {
  const tap = await startTap(bench.gateway);
  try {
    const { spawnedAt, seconds } = await runWhole(contender, {
      input,
      items: ITEMS,
      directory: join(bench.directory, "start"),
      baseURL: tap.url,
      concurrency: bench.concurrency,
    });
    const firstAt = tap.firstRequestAt();
    if (firstAt === null) throw new Error(`${contender.name} asked the gateway for nothing`);
    return { firstMs: firstAt - spawnedAt, wholeMs: seconds * 1000 };
  } finally {
    tap.close();
  }
}

function row(name: string, rounds: readonly Round<Start>[]): string[] {
  const runs = resultsOf(rounds, name);
  return [
    name,
    spread(runs.map(({ firstMs }) => firstMs)),
    ratio(ratiosOf(rounds, name, (own, baseline) => own.firstMs / baseline.firstMs)),
    spread(runs.map(({ wholeMs }) => wholeMs)),
  ];
}
