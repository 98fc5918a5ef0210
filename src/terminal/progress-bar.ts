import { formatCompact, formatCount, formatDuration, formatMoney, formatRate } from "./format.ts";
import { createPaint, type Paint, type Style } from "./paint.ts";
import { clip, oneLine, widthOf } from "./screen-text.ts";

interface CountsView {
  /** Zero while it is not known. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

/** Where a run stands, as far as it is drawn. */
export interface ProgressView extends CountsView {
  /** What a retry asks again; null in a run. */
  readonly retrying: CountsView | null;
  readonly in_flight: number;
  readonly retries: number;
  readonly items_per_second: number;
  readonly tokens_per_second: number;
  readonly eta_seconds: number | null;
  readonly elapsed_seconds: number;
  readonly cost_usd: number | null;
  readonly waiting: string | null;
  readonly limited_by: string | null;
}

export interface ProgressOptions {
  /** Columns that no line goes beyond. */
  readonly width: number;
  readonly color: boolean;
  /** False draws in ASCII. @default true */
  readonly unicode?: boolean;
}

interface Fact {
  readonly text: string;
  readonly style?: Style;
}

interface Glyphs {
  readonly done: string;
  readonly half: string;
  readonly rest: string;
  readonly separator: string;
  readonly waiting: string;
  readonly ellipsis: string;
}

const UNICODE: Glyphs = {
  done: "━",
  half: "╸",
  rest: "─",
  separator: " · ",
  waiting: "↳ ",
  ellipsis: "…",
};
const ASCII: Glyphs = {
  done: "#",
  half: "",
  rest: "-",
  separator: ", ",
  waiting: "> ",
  ellipsis: "...",
};

const LONGEST_BAR = 40;
const SHORTEST_BAR = 8;
const GAP = "  ";

/** The live picture of a run: the bar, the figures, and what holds the run back if something does. */
export function renderProgress(view: ProgressView, options: ProgressOptions): string[] {
  const progress = ofRetry(view);
  const glyphs = options.unicode === false ? ASCII : UNICODE;
  const paint = createPaint(options.color);
  const { width } = options;
  const lines = [barLine(progress, width, glyphs, paint)];
  const figures = fitting(figuresOf(progress), width, widthOf(glyphs.separator));
  lines.push(figures.map((fact) => painted(fact, paint)).join(paint("dim", glyphs.separator)));
  if (progress.waiting !== null) {
    const line = glyphs.waiting + oneLine(progress.waiting);
    lines.push(paint("yellow", clip(line, width, glyphs.ellipsis)));
  } else if (progress.limited_by !== null) {
    lines.push(paint("dim", clip(glyphs.waiting + progress.limited_by, width, glyphs.ellipsis)));
  }
  return lines.filter((line) => line !== "");
}

/** Where a run stands in one plain line, for logs. */
export function renderProgressLine(view: ProgressView): string {
  const progress = ofRetry(view);
  const percent = percentOf(progress);
  const facts = [
    countsOf(progress) + (percent === null ? "" : ` (${percent}%)`),
    ...troublesOf(progress).map(({ text }) => text),
    ...figuresOf(progress).map(({ text }) => text),
  ];
  const holdup = progress.waiting ?? progress.limited_by;
  return facts.join(", ") + (holdup === null ? "" : `; ${oneLine(holdup)}`);
}

/** A retry's own counts take the place of the run's, which all stand at the end before it begins. */
function ofRetry(progress: ProgressView): ProgressView {
  return { ...progress, ...progress.retrying };
}

/** The bar gives way to the figures beside it, and where there is no room at all it is left out. */
function barLine(progress: ProgressView, width: number, glyphs: Glyphs, paint: Paint): string {
  const percent = percentOf(progress);
  const room = percent === null ? width : width - SHORTEST_BAR - GAP.length;
  const beside: Fact[] = [
    ...(percent === null ? [] : [{ text: `${percent}%`.padStart(3), style: "bold" as const }]),
    { text: countsOf(progress) },
    ...troublesOf(progress),
  ];
  const facts = fitting(beside, Math.max(room, 0), GAP.length);
  const used = facts.reduce((sum, { text }) => sum + GAP.length + widthOf(text), 0);
  const cells = Math.min(LONGEST_BAR, width - used);
  if (percent === null || facts.length < 2 || cells < SHORTEST_BAR) {
    const bare = fitting(beside, width, GAP.length);
    return bare.map((fact) => painted(fact, paint)).join(GAP);
  }
  const bar = barOf(progress, cells, glyphs, paint);
  return [bar, ...facts.map((fact) => painted(fact, paint))].join(GAP);
}

function barOf(progress: ProgressView, cells: number, glyphs: Glyphs, paint: Paint): string {
  const share = Math.min(1, endedOf(progress) / progress.total);
  const halves = Math.floor(share * cells * 2);
  const full = Math.floor(halves / 2);
  const half = halves % 2 === 1 ? glyphs.half : "";
  const done = glyphs.done.repeat(full) + half;
  const rest = glyphs.rest.repeat(cells - full - half.length);
  return paint(progress.waiting === null ? "green" : "yellow", done) + paint("dim", rest);
}

/** Never 100 before the end. */
function percentOf(progress: ProgressView): number | null {
  if (progress.total <= 0) return null;
  return Math.floor((Math.min(endedOf(progress), progress.total) / progress.total) * 100);
}

function countsOf(progress: ProgressView): string {
  const ended = formatCount(endedOf(progress));
  const counts = progress.total > 0 ? `${ended}/${formatCount(progress.total)}` : `${ended} done`;
  return progress.retrying === null ? counts : `${counts} asked again`;
}

function troublesOf({ failed, retries }: ProgressView): Fact[] {
  return [
    ...(failed > 0 ? [{ text: `${formatCount(failed)} failed`, style: "red" as const }] : []),
    ...(retries > 0 ? [{ text: `${formatCount(retries)} retried`, style: "dim" as const }] : []),
  ];
}

/** The most wanted first: what does not fit is left out. */
function figuresOf(progress: ProgressView): Fact[] {
  const { eta_seconds: eta, cost_usd: cost, total } = progress;
  const left = total - endedOf(progress);
  return [
    ...(left > 0 ? [{ text: `ETA ${eta === null ? "?" : formatDuration(eta * 1000)}` }] : []),
    { text: formatRate(progress.items_per_second, "items") },
    { text: `${formatCompact(progress.tokens_per_second)} tokens/s` },
    ...(cost === null ? [] : [{ text: formatMoney(cost) }]),
    { text: `${formatDuration(Math.floor(progress.elapsed_seconds) * 1000)} elapsed` },
    { text: `${formatCount(progress.in_flight)} in flight` },
  ];
}

function endedOf({ completed, failed }: ProgressView): number {
  return completed + failed;
}

/** Those facts, in order, that fit side by side. */
function fitting(facts: readonly Fact[], width: number, gap: number): Fact[] {
  let used = -gap;
  return facts.filter(({ text }) => {
    const wanted = used + gap + widthOf(text);
    if (wanted > width) return false;
    used = wanted;
    return true;
  });
}

function painted({ text, style }: Fact, paint: Paint): string {
  return style === undefined ? text : paint(style, text);
}
