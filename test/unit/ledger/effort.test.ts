import { expect, test } from "vitest";

import { withEffortOf } from "../../../src/ledger/effort.ts";
import { formatLine, type LineNote, parseLine } from "../../../src/ledger/line.ts";
import type { Failed, Outcome } from "../../../src/outcome.ts";
import { aCompleted, aFailed, aFiltered, RUN_ID } from "./run-directory.ts";

/** The note of an outcome's line, when its item failed like this before. */
function noteAfter(failure: Partial<Failed>, outcome: Outcome): LineNote {
  const before = parseLine(Buffer.from(formatLine(RUN_ID, aFailed(1, failure))));
  const line = formatLine(RUN_ID, withEffortOf(before, outcome));
  return parseLine(Buffer.from(line)).nightshift;
}

test("a retried item's line counts what its failure took, and the time of its last call", () => {
  const failure = { attempts: 6, ms: 60_000, possiblyBilled: 3, retries: { timeout: 4, eof: 2 } };
  const completed = aCompleted(1, { attempts: 2, ms: 700, retries: { timeout: 1, http_500: 1 } });
  expect(noteAfter(failure, completed)).toEqual({
    attempts: 8,
    ms: 700,
    possibly_billed: 3,
    retries: { timeout: 5, eof: 2, http_500: 1 },
  });
});

test("one that fails again has its new cause and the effort of both", () => {
  const again = aFailed(1, { attempts: 2, error: { code: "http_500", message: "again" } });
  expect(noteAfter({ attempts: 6 }, again)).toMatchObject({
    attempts: 8,
    code: "http_500",
    message: "again",
  });
});

test("an answer that was paid for stays counted when its failure is superseded, twice too", () => {
  const answer = {
    model: "gpt-4o-mini",
    usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
  };
  const once = noteAfter(aFiltered(1), aFiltered(1));
  expect(once.failed_answers).toEqual([answer]);
  const twice = noteAfter(aFiltered(1, { failedAnswers: [answer] }), aCompleted(1));
  expect(twice.failed_answers).toEqual([answer, answer]);
});

test("a cause may have any name that a gateway gives it", () => {
  const retries = JSON.parse('{"__proto__":1,"constructor":2}') as Record<string, number>;
  const { retries: sum } = noteAfter({ retries }, aCompleted(1, { retries }));
  expect(JSON.stringify(sum)).toBe('{"__proto__":2,"constructor":4}');
});
