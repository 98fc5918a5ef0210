import { formatCount } from "./format.ts";
import { type Row, row } from "./rows.ts";

/** What a run found out about an account: per minute, and calls at once. */
export interface LimitsView {
  readonly rpm: number | null;
  readonly tpm: number | null;
  readonly concurrency: number | null;
}

/** What the account allows, and what to write so that the next run need not find it out. */
export function limitRows({ rpm, tpm, concurrency }: LimitsView): Row[] {
  const found: { allows: string; setting: string }[] = [];
  const per = (limit: number | null, what: string, name: string): void => {
    if (limit === null) return;
    found.push({
      allows: `${formatCount(Math.round(limit))} ${what}/min`,
      setting: `${name}: ${below(limit)}`,
    });
  };
  per(rpm, "requests", "rpm");
  per(tpm, "tokens", "tpm");
  if (concurrency !== null) {
    found.push({ allows: `${concurrency} calls at once`, setting: `concurrency: ${concurrency}` });
  }
  if (found.length === 0) return [];
  const allows = found.map((limit) => limit.allows).join(", ");
  const settings = found.map((limit) => limit.setting).join(", ");
  return [
    row("limits", `the account allows about ${allows}: put \`limits: { ${settings} }\` in the job`),
  ];
}

/** A round number a little below: two digits that count. */
function below(limit: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(limit)) - 1);
  return Math.max(1, Math.floor((limit * 0.99) / unit) * unit);
}
