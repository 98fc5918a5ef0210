import type { Bench } from "../../harness/bench.ts";
import { figure } from "../../harness/statistics.ts";

/** One line of the table. */
export interface Row {
  /** What `--row` calls it. */
  readonly id: string;
  readonly title: string;
  readonly mark: string;
  measure(bench: Bench): Promise<Measurement>;
}

/** What came out, in words, and whether that is good enough. */
export interface Measurement {
  readonly measured: string;
  readonly met: boolean;
}

/** `93.4 %` */
export function percent(share: number): string {
  return `${figure(share * 100, 1)} %`;
}
