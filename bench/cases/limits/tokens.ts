import type { Bench } from "../../harness/bench.ts";
import { runLimited } from "../../harness/limited-run.ts";
import { MIXED } from "../../harness/sized-input.ts";
import { busyStretch, refusedShare, trafficOf } from "../../harness/traffic.ts";
import { percent, type Measurement, type Row } from "./row.ts";

const TPM = 3_000_000;
const ITEMS = 3000;
const MARK = ">= 90 % used, <= 2 % refused";

/** How much of a limit on tokens is used. Its refusals name it, as OpenAI's do. */
export const TOKENS: readonly Row[] = [
  {
    id: "4a",
    title: "3 000 000 tokens/min, items of 50 to 4 000, known",
    mark: MARK,
    measure: (bench) => measure(bench, "tokens-known", ["--tpm", String(TPM)]),
  },
  {
    id: "4b",
    title: "the same, unknown",
    mark: MARK,
    measure: (bench) => measure(bench, "tokens-unknown", []),
  },
];

async function measure(bench: Bench, name: string, known: readonly string[]): Promise<Measurement> {
  const slices = await runLimited(
    bench,
    { limits: { tpm: TPM } },
    { name, items: ITEMS, size: MIXED, flags: ["--concurrency", "128", ...known] },
  );
  const { tokens, seconds } = trafficOf(slices, busyStretch(slices));
  const used = tokens / ((TPM / 60) * seconds);
  const refused = refusedShare(slices);
  return {
    measured: `${percent(used)} used, ${percent(refused)} refused`,
    met: used >= 0.9 && refused <= 0.02,
  };
}
