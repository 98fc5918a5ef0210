import { join } from "node:path";

import type { Bench } from "../harness/bench.ts";
import { writeInput } from "../harness/input.ts";
import { figure, median, megabytes, spread } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import { runWhole } from "../harness/whole-process.ts";

const ITEMS = 200_000;
const TIMES_SMALLER = 20;
const RUNS = 3;

/** How Nightshift's memory grows with the number of items. */
export async function memory(bench: Bench): Promise<string> {
  const nightshift = bench.contenders.find(({ name }) => name === "nightshift");
  if (nightshift === undefined) return "memory: skipped, Nightshift is not among the contenders";
  const many = bench.items ?? ITEMS;
  const few = Math.ceil(many / TIMES_SMALLER);
  const runs = bench.runs ?? RUNS;

  const peaks = new Map<number, number[]>([
    [few, []],
    [many, []],
  ]);
  for (const items of peaks.keys()) await writeInput(inputOf(bench, items), items);
  for (let round = 1; round <= runs; round += 1) {
    for (const [items, measured] of peaks) {
      const { peakRssBytes } = await runWhole(nightshift, {
        input: inputOf(bench, items),
        items,
        directory: join(bench.directory, "memory"),
        baseURL: bench.gateway,
        concurrency: bench.concurrency,
      });
      measured.push(peakRssBytes);
      const size = figure(megabytes(peakRssBytes));
      bench.note(`memory ${round}/${runs}: ${figure(items)} items ${size} MB`);
    }
  }

  const atFew = median(peaks.get(few) ?? []);
  const atMany = median(peaks.get(many) ?? []);
  return [
    `memory: Nightshift, ${bench.concurrency} in flight, ${runs} runs; median (min-max)`,
    table(
      ["items", "peak RSS MB", `to ${figure(few)}`],
      [...peaks].map(([items, measured]) => [
        figure(items),
        spread(measured.map(megabytes)),
        `${figure(median(measured) / atFew, 2)}x`,
      ]),
    ),
    `${figure((atMany - atFew) / (many - few))} bytes per extra item`,
  ].join("\n\n");
}

function inputOf({ directory }: Bench, items: number): string {
  return join(directory, `memory-${items}.csv`);
}
