import type { Bench } from "./bench.ts";
import { BASELINE, type Contender } from "./contenders.ts";

/** What each contender did in one round, by name; one that failed is missing. */
export type Round<Result> = ReadonlyMap<string, Result>;

/** Measures all contenders one after the other, then all again: A B C A B C. */
export async function inRounds<Result>(
  bench: Bench,
  { title, runs }: { readonly title: string; readonly runs: number },
  measure: (contender: Contender) => Promise<Result>,
  tell: (result: Result) => string,
): Promise<Round<Result>[]> {
  const rounds: Round<Result>[] = [];
  for (let number = 1; number <= runs; number += 1) {
    const round = new Map<string, Result>();
    for (const contender of bench.contenders) {
      const where = `${title} ${number}/${runs}: ${contender.name}`;
      try {
        const result = await measure(contender);
        round.set(contender.name, result);
        bench.note(`${where} ${tell(result)}`);
      } catch (error) {
        bench.fail(`${where} failed`, error);
      }
    }
    rounds.push(round);
  }
  return rounds;
}

/** A contender's results over the rounds. */
export function resultsOf<Result>(rounds: readonly Round<Result>[], name: string): Result[] {
  return rounds.flatMap((round) => round.get(name) ?? []);
}

/** A contender set against the baseline of the same round, so that a drifting machine cancels out. */
export function ratiosOf<Result>(
  rounds: readonly Round<Result>[],
  name: string,
  compare: (own: Result, baseline: Result) => number,
): number[] {
  return rounds.flatMap((round) => {
    const own = round.get(name);
    const baseline = round.get(BASELINE);
    return own === undefined || baseline === undefined ? [] : [compare(own, baseline)];
  });
}
