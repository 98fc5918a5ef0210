import { describe, expect, it } from "vitest";

import { RunStopped, UsageError } from "../../../src/errors.ts";
import { renderError } from "../../../src/terminal/error-text.ts";

const PLAIN = { color: false };

describe("what the command line says about an error", () => {
  it("shows a user's mistake without a stack", () => {
    const error = new UsageError("jobs/tag.yaml: retry.attempts must be ≥ 1, got 0");
    expect(renderError(error, PLAIN)).toBe(
      "nightshift: jobs/tag.yaml: retry.attempts must be ≥ 1, got 0",
    );
  });

  it("keeps the lines of a longer message", () => {
    expect(renderError(new UsageError("two faults:\n  - a\n  - b"), PLAIN)).toBe(
      "nightshift: two faults:\n  - a\n  - b",
    );
  });

  it("says what to do about a run that stopped", () => {
    const error = new RunStopped(
      "redis",
      "Redis has been away for too long",
      "Start Redis, then run the same command again.",
    );
    expect(renderError(error, PLAIN)).toBe(
      "nightshift: Redis has been away for too long\nStart Redis, then run the same command again.",
    );
  });

  it("shows a bug with its stack and its cause, and asks for a report", () => {
    const error = new TypeError("x is not a function", { cause: new Error("the root") });
    const text = renderError(error, PLAIN);
    expect(text).toMatch(
      /^nightshift: internal error\nTypeError: x is not a function\n {4}at [^]*\ncaused by: Error: the root\n {4}at [^]*\nThis is a bug in Nightshift\. Please report it/,
    );
  });

  it("survives errors that cause each other", () => {
    const error = new Error("round");
    error.cause = error;
    expect(renderError(error, PLAIN)).toContain("Error: round");
  });

  it("shows what was thrown when that is no error", () => {
    expect(renderError({ status: 500 }, PLAIN)).toContain("{ status: 500 }");
  });
});
