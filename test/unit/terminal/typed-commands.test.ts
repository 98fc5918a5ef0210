import { describe, expect, it } from "vitest";

import { renderSummary } from "../../../src/terminal/summary.ts";
import { withTypedCommands } from "../../../src/terminal/typed-commands.ts";
import { aResult, aUsage, PLAIN, someItems } from "./views.ts";

function typed(text: string): string {
  return withTypedCommands(text, "npx nightshift");
}

describe("commands in texts for people, where npx started the process", () => {
  it.each([
    [
      "paused: `nightshift resume r-1` lets it go on",
      "paused: `npx nightshift resume r-1` lets it go on",
    ],
    ["  $ nightshift run a.yaml", "  $ npx nightshift run a.yaml"],
    [
      "$ A_URL=http://x/v1 KEY=sk-1 nightshift run a.yaml",
      "$ A_URL=http://x/v1 KEY=sk-1 npx nightshift run a.yaml",
    ],
    ["Usage: nightshift [options] [command]", "Usage: npx nightshift [options] [command]"],
    [
      "Usage: nightshift retry [options] <run-dir>",
      "Usage: npx nightshift retry [options] <run-dir>",
    ],
  ])("say npx: %s", (text, expected) => {
    expect(typed(text)).toBe(expected);
  });

  it.each([true, false])("say npx in the summary, with colors: %s", (color) => {
    const result = aResult({ usage: aUsage({ items: someItems({ failed: 3 }) }) });
    const text = typed(renderSummary(result, { ...PLAIN, color }));
    expect(text.match(/npx nightshift (?:status|retry) runs/g)).toHaveLength(2);
  });

  it.each([
    "nightshift: there is no API key",
    "`npx nightshift retry run`",
    "  npx nightshift run a.yaml",
    "r-1: the nightshift workers are tired",
    "/opt/nightshift run.csv",
    "Everything that nightshift needs",
  ])("leave alone what is none, or has it already: %s", (text) => {
    expect(typed(text)).toBe(text);
  });

  it("stay as they are where the shell knows nightshift", () => {
    const text = "`nightshift resume r-1`";
    expect(withTypedCommands(text, "nightshift")).toBe(text);
  });
});
