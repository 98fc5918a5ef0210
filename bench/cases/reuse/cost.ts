import { writeInput } from "../../harness/input.ts";
import { figure, median } from "../../harness/statistics.ts";
import type { Row } from "../limits/row.ts";
import { openNights, runNight } from "./nights.ts";

const ITEMS = 30_000;
const RUNS = 5;
const MOST_MS = 0.03;

const FLAGS = {
  off: [],
  dedupe: ["--dedupe"],
  incremental: ["--incremental"],
} as const;

/** All items differ and none is known: the whole cost of looking, and nothing saved. */
export const REUSE_COST: Row = {
  id: "3",
  title: "CPU of an item that is new",
  mark: "at most 0.03 ms more than without, for either",
  async measure(bench) {
    const items = bench.items ?? ITEMS;
    const nights = await openNights(bench, bench.gateway, "cost");
    await writeInput(nights.input, items);
    let runs = 0;
    const cpuOf = async (name: keyof typeof FLAGS): Promise<number> => {
      // Other questions each time: the answers of the runs before are taken in, and looked into in vain.
      runs += 1;
      const flags = [...FLAGS[name], "--param", `seed=${runs}`];
      return (await runNight(nights, { name: `${name}-${runs}`, flags, items })).cpuMs / items;
    };
    await cpuOf("incremental");
    const more: Record<"dedupe" | "incremental", number[]> = { dedupe: [], incremental: [] };
    const off: number[] = [];
    for (let round = 1; round <= (bench.runs ?? RUNS); round += 1) {
      const without = await cpuOf("off");
      off.push(without);
      more.dedupe.push((await cpuOf("dedupe")) - without);
      more.incremental.push((await cpuOf("incremental")) - without);
      bench.note(`reuse 3, round ${round}: ${figure(without, 4)} ms without`);
    }
    const [dedupe, incremental] = [median(more.dedupe), median(more.incremental)];
    return {
      measured:
        `${figure(median(off), 4)} ms, dedupe ${figure(dedupe, 4)} ms more, ` +
        `incremental ${figure(incremental, 4)} ms more`,
      met: dedupe <= MOST_MS && incremental <= MOST_MS,
    };
  },
};
