import type { Bench } from "../harness/bench.ts";
import { figure } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import type { Measurement, Row } from "./limits/row.ts";
import { REUSE_COST } from "./reuse/cost.ts";
import { SECOND_NIGHT } from "./reuse/second-night.ts";
import { SHARED_ANSWERS } from "./reuse/shared-answers.ts";

const ROWS: readonly Row[] = [SECOND_NIGHT, SHARED_ANSWERS, REUSE_COST];

/** What is not asked twice: in a run, between runs, and what looking for it costs. */
export async function reuse(bench: Bench): Promise<string> {
  const lines: string[][] = [];
  for (const row of ROWS.filter(({ id }) => bench.rows.length === 0 || bench.rows.includes(id))) {
    const start = performance.now();
    const { measured, met } = await tryRow(bench, row);
    const seconds = (performance.now() - start) / 1000;
    bench.note(`reuse ${row.id}: ${row.title}: ${measured}, ${figure(seconds)} s`);
    lines.push([`${row.id}. ${row.title}`, measured, row.mark, met ? "met" : "missed"]);
  }
  return `reuse\n\n${table(["case", "measured", "mark", ""], lines)}`;
}

async function tryRow(bench: Bench, row: Row): Promise<Measurement> {
  try {
    const result = await row.measure(bench);
    if (!result.met) bench.fail(`reuse ${row.id}`, `missed: ${row.mark}`);
    return result;
  } catch (error) {
    bench.fail(`reuse ${row.id} failed`, error);
    return { measured: "-", met: false };
  }
}
