import { describe, expect, it } from "vitest";

import { RunStopped } from "../../../src/errors.ts";
import { type Draining, drainingText } from "../../../src/run/draining.ts";

const CTRL_C = new RunStopped("interrupted", "stopped by SIGINT", "Run the same command again.");

function draining(changes: Partial<Draining> = {}): string {
  return drainingText({
    inFlight: 1,
    sinceMs: 17_200,
    policy: { timeoutMs: 60_000, stream: false },
    reason: CTRL_C,
    ...changes,
  });
}

describe("a run that stops", () => {
  it("says what it waits for, how long that takes at most, and how to stop now", () => {
    expect(draining()).toBe("stopping: 1 call in flight, 43 s at most; Ctrl-C again stops now");
  });

  it("gives a streamed answer ten times as long", () => {
    expect(draining({ inFlight: 3, policy: { timeoutMs: 60_000, stream: true } })).toBe(
      "stopping: 3 calls in flight, 10 min at most; Ctrl-C again stops now",
    );
  });

  it("names no time that is over", () => {
    expect(draining({ sinceMs: 60_000 })).toBe(
      "stopping: 1 call in flight; Ctrl-C again stops now",
    );
  });

  it("speaks of no second Ctrl-C where there was no first", () => {
    expect(draining({ reason: undefined })).toBe("stopping: 1 call in flight, 43 s at most");
    expect(draining({ reason: new Error("enough") })).not.toContain("Ctrl-C");
  });

  it("says that it records when every call has ended", () => {
    expect(draining({ inFlight: 0 })).toBe("stopping: what has come is being recorded");
  });
});
