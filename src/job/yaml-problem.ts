import type { ErrorCode, YAMLError } from "yaml";

/** What is wrong with a text that is no YAML, and what to do: the parser's own words are for those who know it. */
export function yamlProblem({ code, message, pos: [at] }: YAMLError, text: string): string {
  if (code === "DUPLICATE_KEY") {
    const [, , name] = /^(["']?)(.+?)\1\s*:/.exec(text.slice(at)) ?? [];
    const field = name === undefined ? "this field" : `\`${name}\``;
    return `${field} is there twice. Take one of the two away.`;
  }
  return (
    PROBLEMS[code] ??
    `${message}. Check the indentation, the quotes and the brackets of this line and the one before it.`
  );
}

const PROBLEMS: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: "a tab indents this line. Indent with spaces instead.",
  MULTIPLE_DOCS: "a second job begins here. Take the line --- away: a job file holds one.",
  BLOCK_AS_IMPLICIT_KEY:
    'there is a colon where none can be. Put a value that holds ": " in quotes, and indent the fields of one group alike.',
  MULTILINE_IMPLICIT_KEY: "this is no field. Write `name: value`, with a blank after the colon.",
  UNEXPECTED_TOKEN:
    'more text follows where the value has ended. Put the whole value in quotes, and write \\" for a quote inside them.',
  BAD_SCALAR_START: "no value begins with this sign. Put it in quotes.",
  BAD_DQ_ESCAPE: "this backslash escapes nothing. Write it twice, or use single quotes.",
};
