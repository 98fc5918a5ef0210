import * as z from "zod";

import { nearest } from "./nearest.ts";
import { jobFileSchema } from "./schema.ts";

/** What is wrong with a field of a job. */
export interface FieldProblem {
  readonly path: readonly PropertyKey[];
  /** Begins with the field's name, where it has one. */
  readonly text: string;
}

/** What an issue means in words of the job file: what was found, and what to write. */
export function fieldProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  const { path } = issue;
  const field = path.length > 0 ? `\`${z.core.toDotPath(path)}\` ` : "";
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      text: `${field}has no field \`${key}\`. ${fieldHint(key, path)}`,
    }));
  }
  return [{ path, text: `${field}${problem(issue)}` }];
}

function fieldHint(key: string, path: readonly PropertyKey[]): string {
  if (/^api_?key$/i.test(key)) {
    return "A key never stands in a file that is shared: set NIGHTSHIFT_API_KEY, in the environment or in .env.";
  }
  const known = Object.keys(shapeAt(path).properties ?? {});
  const near = nearest(key, known);
  if (near !== undefined) return `Did you mean \`${near}\`?`;
  if (path.length > 0) return `It knows ${known.join(", ")}.`;
  for (const group of known) {
    const inside = nearest(key, Object.keys(shapeAt([group]).properties ?? {}));
    if (inside !== undefined) return `Did you mean \`${inside}\` in \`${group}\`?`;
  }
  return (
    "The prompt belongs in `messages`, and what else the request holds in `params`. " +
    `The fields are ${known.join(", ")}.`
  );
}

/** As much of a JSON Schema as is needed here. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
}

function shapeAt(path: readonly PropertyKey[]): Shape {
  let shape: Shape | undefined = z.toJSONSchema(jobFileSchema, { io: "input" }) as Shape;
  for (const key of path) {
    shape = typeof key === "number" ? shape?.items : shape?.properties?.[String(key)];
  }
  return shape ?? {};
}

function problem(issue: z.core.$ZodIssue): string {
  const { input } = issue;
  if (input === undefined && issue.code !== "custom") return "is missing";
  if (isBareTemplate(input)) return 'begins with {{ and needs quotes: write "{{ … }}"';
  if (issue.code === "invalid_type") {
    const kind = KINDS[issue.expected] ?? issue.expected;
    return `must be ${kind}, and is ${found(input)}${quotesHint(issue.expected, input)}`;
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const near = typeof input === "string" ? nearest(input, values) : undefined;
    const hint = near === undefined ? "" : `. Did you mean ${near}?`;
    return `must be one of ${values.map((value) => `"${value}"`).join(", ")}, and is ${found(input)}${hint}`;
  }
  if (issue.code === "too_small") {
    if (typeof input !== "number") return "must not be empty";
    const bound = issue.inclusive === true ? "at least" : "above";
    return `must be ${bound} ${issue.minimum}, and is ${input}`;
  }
  if (issue.code === "too_big") return `must be at most ${issue.maximum}, and is ${found(input)}`;
  return issue.message;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list (lines that begin with `- `)",
  object: "a group of fields (`name: value`)",
  record: "a group of fields (`name: value`)",
};

/** `{{ text }}` without quotes is a map in a map to YAML. */
function isBareTemplate(input: unknown): boolean {
  return (
    typeof input === "object" && input !== null && Object.keys(input)[0]?.startsWith("{") === true
  );
}

const MOST_SHOWN = 40;

function found(input: unknown): string {
  if (input === null) return "empty";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "a group of fields";
  if (typeof input !== "string") return JSON.stringify(input);
  const shown = input.length > MOST_SHOWN ? `${input.slice(0, MOST_SHOWN)}…` : input;
  return `the text ${JSON.stringify(shown)}`;
}

function quotesHint(expected: string, input: unknown): string {
  if (expected === "string" && (typeof input === "number" || typeof input === "boolean")) {
    return `: write "${input}" in quotes`;
  }
  const isQuotedNumber = (expected === "number" || expected === "int") && typeof input === "string";
  return isQuotedNumber && input.trim() !== "" && Number.isFinite(Number(input))
    ? ": write it without quotes"
    : "";
}
