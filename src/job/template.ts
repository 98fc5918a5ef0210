import { Liquid } from "liquidjs";

import { messageOf, RecordError, UsageError } from "../errors.ts";

/** A Liquid template, parsed once. */
export interface Template {
  /** The columns it refers to. */
  readonly variables: readonly string[];
  /** @throws RecordError where the record lacks a field or a filter cannot work with its value. */
  readonly render: (fields: Readonly<Record<string, unknown>>) => string;
}

/**
 * Parses a template. `where` names its place in the job for error texts.
 * @throws UsageError with Liquid's line and column.
 */
export function compileTemplate(text: string, where: string): Template {
  const { parsed, variables } = parse(text, where);
  const renderSlowly = (fields: Readonly<Record<string, unknown>>): string => {
    try {
      return String(liquid.renderSync(parsed, fields));
    } catch (error) {
      throw new RecordError(`${where}: ${messageOf(error)}.${optionalFieldHint(error)}`, {
        cause: error,
      });
    }
  };

  const pieces = plainPieces(text, variables);
  if (pieces === null) return { variables, render: renderSlowly };
  return { variables, render: (fields) => joinPieces(pieces, fields) ?? renderSlowly(fields) };
}

const liquid = new Liquid({
  strictVariables: true,
  strictFilters: true,
  // Optional fields: `{% if note %}` and `{{ note | default: "none" }}` accept a missing one.
  lenientIf: true,
  ownPropertyOnly: true,
  outputEscape: outputText,
  // Nothing may be read from disk.
  templates: {},
});
for (const tag of ["include", "render", "layout", "block"]) delete liquid.tags[tag];

function parse(
  text: string,
  where: string,
): { parsed: ReturnType<Liquid["parse"]>; variables: string[] } {
  try {
    const parsed = liquid.parse(text);
    const { globals } = liquid.analyzeSync(parsed, { partials: false });
    return { parsed, variables: Object.keys(globals) };
  } catch (error) {
    throw new UsageError(
      `${where}: ${messageOf(error)}. A column with spaces or signs in its name is written {{ ["its name"] }}; braces that are text stand between {% raw %} and {% endraw %}.`,
      { cause: error },
    );
  }
}

/** Liquid's own text for everything but objects, whose `[object Object]` is never what was meant. */
function outputText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(outputText).join("");
  throw new TypeError("the value is an object: write `| json` after it");
}

function optionalFieldHint(error: unknown): string {
  return error instanceof Error && error.name === "UndefinedVariableError"
    ? ' Where a field may be missing, write | default: "" after it.'
    : "";
}

interface Piece {
  readonly text: string;
  /** The column whose value follows the text; null after the last text. */
  readonly column: string | null;
}

/**
 * A template that is only text and plain `{{ name }}`, as most are, cut into pieces: joining them
 * takes a fiftieth of Liquid's time. Null for every other template.
 */
function plainPieces(text: string, variables: readonly string[]): readonly Piece[] | null {
  const parts = text.split(/\{\{[ \t\n]*([A-Za-z_\u4e00-\u9fff][\w\u4e00-\u9fff]*)[ \t\n]*\}\}/);
  const pieces: Piece[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const between = parts[at] ?? "";
    const column = parts[at + 1] ?? null;
    if (/\{\{|\{%/.test(between)) return null;
    // Names that Liquid reads as values, like `true` or `blank`.
    if (column !== null && !variables.includes(column)) return null;
    pieces.push({ text: between, column });
  }
  return pieces;
}

/** Null where a value is missing or is neither text, number, boolean nor null: Liquid knows what to do. */
function joinPieces(
  pieces: readonly Piece[],
  fields: Readonly<Record<string, unknown>>,
): string | null {
  let joined = "";
  for (const { text, column } of pieces) {
    joined += text;
    if (column === null) continue;
    const value = Object.hasOwn(fields, column) ? fields[column] : undefined;
    if (typeof value === "string") joined += value;
    else if (typeof value === "number" || typeof value === "boolean") joined += String(value);
    else if (value !== null) return null;
  }
  return joined;
}
