import { plural } from "./format.ts";
import type { Paint } from "./paint.ts";
import { renderRows, row } from "./rows.ts";
import { clip, oneLine } from "./screen-text.ts";

/** Items that failed for one cause. */
export interface FailuresView {
  /** The error's code. */
  readonly cause: string;
  readonly class: string;
  readonly count: number;
  readonly example: { readonly custom_id: string; readonly message: string };
  readonly advice: string;
  /** The command that runs them again. */
  readonly retry: string;
}

/** A gateway may answer with a whole page: this much of it tells what is wrong. */
const MESSAGE_COLUMNS = 200;

const CLASS_WORDS: Readonly<Record<string, string>> = {
  item: "refused for good",
  retry: "out of attempts",
  throttled: "never let through",
};

/** Answers that came, but not whole. */
const CAUSE_WORDS: ReadonlyMap<string, string> = new Map([["truncated", "cut at max_tokens"]]);

/** Why some items failed: what the gateway said, what to do, and how to run them again. */
export function renderFailures(failures: FailuresView, paint: Paint): string[] {
  const { example } = failures;
  const cause = paint(["bold", "red"], oneLine(failures.cause));
  const kind = CAUSE_WORDS.get(failures.cause) ?? CLASS_WORDS[failures.class];
  const said = `${oneLine(example.custom_id)}: ${oneLine(example.message)}`;
  const rows = [
    row("example", clip(said, MESSAGE_COLUMNS)),
    row("advice", oneLine(failures.advice)),
    row("try again", oneLine(failures.retry)),
  ];
  const items = plural(failures.count, "item") + (kind === undefined ? "" : `, ${kind}`);
  return [`${cause}: ${items}`, ...renderRows(rows, paint)];
}
