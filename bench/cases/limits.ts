import type { Bench } from "../harness/bench.ts";
import { figure } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";
import { BUDGET_ROW } from "./limits/budget.ts";
import { COST } from "./limits/cost.ts";
import { IN_FLIGHT } from "./limits/in-flight.ts";
import { RATES } from "./limits/rates.ts";
import type { Measurement, Row } from "./limits/row.ts";
import { SHARED } from "./limits/shared.ts";
import { STORM } from "./limits/storm.ts";
import { TOKENS } from "./limits/tokens.ts";

const ROWS: readonly Row[] = [...RATES, ...TOKENS, IN_FLIGHT, ...STORM, SHARED, BUDGET_ROW, COST];

/** How well Nightshift uses the limits of an account, and how seldom it runs into them. */
export async function limits(bench: Bench): Promise<string> {
  const lines: string[][] = [];
  for (const row of ROWS.filter((row) => isWanted(row, bench.rows))) {
    const start = performance.now();
    const { measured, met } = await tryRow(bench, row);
    const seconds = (performance.now() - start) / 1000;
    bench.note(`limits ${row.id}: ${row.title}: ${measured}, ${figure(seconds)} s`);
    lines.push([`${row.id}. ${row.title}`, measured, row.mark, met ? "met" : "missed"]);
  }
  return `limits\n\n${table(["case", "measured", "mark", ""], lines)}`;
}

/** By its number, with or without its letter, or by a part of its title. */
function isWanted({ id, title }: Row, asked: readonly string[]): boolean {
  return (
    asked.length === 0 ||
    asked.some((text) =>
      /^\d+[a-z]?$/.test(text)
        ? id === text || id.slice(0, -1) === text
        : title.toLowerCase().includes(text.toLowerCase()),
    )
  );
}

async function tryRow(bench: Bench, row: Row): Promise<Measurement> {
  try {
    const result = await row.measure(bench);
    if (!result.met) bench.fail(`limits ${row.id}`, `missed: ${row.mark}`);
    return result;
  } catch (error) {
    bench.fail(`limits ${row.id} failed`, error);
    return { measured: "-", met: false };
  }
}
