import { join } from "node:path";

import { startSandbox } from "../../../src/sandbox/sandbox.ts";
import type { Bench } from "../../harness/bench.ts";
import { figure, megabytes } from "../../harness/statistics.ts";
import type { Row } from "../limits/row.ts";
import {
  type Night,
  openNights,
  runDirectory,
  runNight,
  textOf,
  writeTexts,
  wrongAnswers,
} from "./nights.ts";

const ITEMS = 100_000;
const TIMES_SMALLER = 10;
const CHANGED_SHARE = 0.01;
const MOST_SECONDS = 15;
const MOST_RSS_RATIO = 1.2;

export const SECOND_NIGHT: Row = {
  id: "1",
  title: "second night, 1 % changed",
  mark: "exactly those called, under 15 s, at most 1.20x the RSS of a tenth",
  async measure(bench) {
    const items = bench.items ?? ITEMS;
    const few = await secondNight(bench, Math.ceil(items / TIMES_SMALLER));
    const many = await secondNight(bench, items);
    const ratio = many.rss / few.rss;
    return {
      measured:
        `${figure(many.calls)} calls of ${figure(many.changed)} changed, ${many.wrong} wrong, ` +
        `${figure(many.seconds, 1)} s, ${figure(megabytes(many.rss))} MB, ${figure(ratio, 2)}x`,
      met:
        many.calls === many.changed &&
        many.wrong === 0 &&
        many.seconds < MOST_SECONDS &&
        ratio <= MOST_RSS_RATIO,
    };
  },
};

async function secondNight(
  bench: Bench,
  items: number,
): Promise<{ calls: number; changed: number; wrong: number; seconds: number; rss: number }> {
  const sandbox = await startSandbox({ ledger: false });
  try {
    const nights = await openNights(bench, sandbox.url, `nights-${items}`);
    const texts = Array.from({ length: items }, (_, index) => textOf(`review ${index}:`));
    const first: Night = { name: "one", flags: ["--incremental"], items };
    await writeTexts(nights.input, texts);
    await runNight(nights, first);
    const before = sandbox.stats().requests;

    const changed = Math.round(items * CHANGED_SHARE);
    for (let at = 0; at < changed; at += 1) {
      const index = Math.floor(at / CHANGED_SHARE);
      texts[index] = textOf(`changed ${index}:`);
    }
    const second: Night = { ...first, name: "two" };
    await writeTexts(nights.input, texts);
    const { seconds, peakRssBytes: rss } = await runNight(nights, second);
    const calls = sandbox.stats().requests - before;
    const wrong = await wrongAnswers(join(runDirectory(nights, second), "results.jsonl"), texts);
    bench.note(`reuse 1: ${figure(items)} items: ${figure(seconds, 1)} s, ${calls} calls`);
    return { calls, changed, wrong, seconds, rss };
  } finally {
    await sandbox.close();
  }
}
