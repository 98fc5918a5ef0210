import { stripVTControlCharacters } from "node:util";

/** East Asian wide and fullwidth characters and emoji, as coarse as it can be without missing one. */
const WIDE =
  /[\u1100-\u115F\u2329\u232A\u2630-\u2637\u268A-\u268F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{1B2FB}\u{1D300}-\u{1D376}\u{1F1AE}-\u{1F265}\u{1F6D9}\u{1F7DA}\u{1FA70}-\u{1FAFF}\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}/u;
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}]/u;
/** Shows the character before it as an emoji, which is wide. */
const EMOJI_SELECTOR = "\uFE0F";

/** Text from outside, on one line and without anything that steers a terminal. */
export function oneLine(text: string): string {
  return withoutSteering(text)
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ")
    .replaceAll(/ {2,}/g, " ")
    .trim();
}

/** The same, but keeping line breaks and indents. */
export function manyLines(text: string): string {
  return withoutSteering(text.replaceAll("\r\n", "\n"))
    .replaceAll("\t", "  ")
    .replaceAll(/(?!\n)\p{Cc}/gu, " ")
    .trimEnd();
}

/** Columns that a line without escape sequences takes at most: a terminal may join some emoji. */
export function widthOf(line: string): number {
  let width = 0;
  let last = 0;
  for (const character of line) {
    last = columnsOf(character, last);
    width += last;
  }
  return width;
}

/** Cuts a line to so many columns. */
export function clip(line: string, width: number, ellipsis = "…"): string {
  if (widthOf(line) <= width) return line;
  const room = width - widthOf(ellipsis);
  if (room < 0) return "";
  let kept = "";
  let used = 0;
  let last = 0;
  for (const character of line) {
    last = columnsOf(character, last);
    if (used + last > room) break;
    used += last;
    kept += character;
  }
  return kept.trimEnd() + ellipsis;
}

function columnsOf(character: string, before: number): number {
  if (character === EMOJI_SELECTOR) return before === 1 ? 1 : 0;
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Escape sequences, and invisible characters such as those that turn the direction of writing. */
function withoutSteering(text: string): string {
  return stripVTControlCharacters(text.toWellFormed()).replaceAll(/\p{Cf}/gu, "");
}
