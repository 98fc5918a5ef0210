import { inspect } from "node:util";

import { RunStopped, UsageError } from "../errors.ts";
import { createPaint } from "./paint.ts";
import { remedyText } from "./remedy.ts";
import { manyLines } from "./screen-text.ts";

/** What the command line says when something was thrown: only a bug shows its stack. */
export function renderError(error: unknown, options: { readonly color: boolean }): string {
  const paint = createPaint(options.color);
  const prefix = paint("red", "nightshift:");
  if (error instanceof UsageError) return `${prefix} ${manyLines(error.message)}`;
  if (error instanceof RunStopped) {
    return `${prefix} ${manyLines(error.message)}\n${remedyText(error.remedy)}`;
  }
  return [
    `${prefix} internal error`,
    paint("dim", stacksOf(error)),
    "This is a bug in Nightshift. Please report it with the lines above on the package's bugs page.",
    "Everything that was recorded is safe: the same command goes on where it stopped.",
  ].join("\n");
}

/** The stack of an error and of what caused it, the outermost first. */
function stacksOf(error: unknown): string {
  const stacks: string[] = [];
  const seen = new Set<unknown>();
  for (let at = error; at !== undefined && !seen.has(at);) {
    seen.add(at);
    stacks.push(at instanceof Error ? (at.stack ?? String(at)) : inspect(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return manyLines(stacks.join("\ncaused by: "));
}
