import { summarizeAnswer } from "../../answer-summary.ts";
import type { Sum } from "../../ledger/unrecorded.ts";
import type { UsageReport } from "../../ledger/usage.ts";
import type { FailedAnswer } from "../../outcome.ts";

/** Tokens of calls, by model. */
type Sums = Readonly<Record<string, Sum>>;

/** What the answers of a run used that were paid for and that no item has. */
export function failedSums({ failed_usage: failed }: UsageReport): Sums {
  const models = Object.entries(failed.models);
  return Object.fromEntries(
    models.map(([model, used]) => [
      model,
      sumOf(used.prompt_tokens, used.completion_tokens, used.total_tokens, used.items),
    ]),
  );
}

/** The same of some answers. */
export function sumsOf(answers: readonly FailedAnswer[]): Sums {
  return answers.reduce<Sums>((sums, answer) => {
    const { model, usage } = summarizeAnswer(answer);
    const { prompt = 0, completion = 0, total = 0 } = usage ?? {};
    return plusSums(sums, { [model]: sumOf(prompt, completion, total, 1) });
  }, {});
}

export function plusSums(one: Sums, other: Sums): Sums {
  const sums = new Map(Object.entries(one));
  for (const [model, more] of Object.entries(other)) {
    const [prompt, completion, calls] = sums.get(model) ?? [0, 0, 0];
    sums.set(model, [prompt + more[0], completion + more[1], calls + more[2]]);
  }
  return Object.fromEntries(sums);
}

/** Some gateways count the thinking in the total alone. */
function sumOf(prompt: number, completion: number, total: number, calls: number): Sum {
  return [prompt, Math.max(completion, total - prompt), calls];
}
