import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { formatLine } from "../../../src/ledger/line.ts";
import { reuseLine } from "../../../src/ledger/reuse-line.ts";
import type { Outcome, Reused } from "../../../src/outcome.ts";
import { aBody, aCompleted, aFailed, anOutcome, RUN_ID } from "./run-directory.ts";

const SHARED: Reused = { kind: "shared", with: 3 };
const RECEIVER = { index: 9, customId: "nine" };

function reused(outcome: Outcome): Outcome | null {
  return reuseLine(Buffer.from(formatLine(RUN_ID, outcome, "ab12")), RECEIVER, () => SHARED);
}

describe("an answer that goes to another item", () => {
  test("is the same to the letter, in that item's name, and took nothing", () => {
    const body = aBody().replace(
      '"total_tokens":10',
      '"total_tokens":10,"cost":1.0,"big":12345678901234567890',
    );
    expect(reused(aCompleted(3, { body, attempts: 4, retries: { timeout: 3 } }))).toEqual({
      ...aCompleted(9, { body, customId: "nine", attempts: 0, ms: 0, reused: SHARED }),
      response: { status: 200, requestId: "req-3", body },
    });
  });

  test("may be a failure, with what the gateway said", () => {
    const response = { status: 400, requestId: null, body: '{"error":{"code":"context"}}' };
    expect(reused(aFailed(3, { response }))).toEqual(
      aFailed(9, { customId: "nine", attempts: 0, ms: 0, response, reused: SHARED }),
    );
    expect(reused(aFailed(3))).toMatchObject({ response: null, error: { message: "blocked" } });
  });

  test("survives whatever stands in ids, answers and messages", () => {
    const odd = fc.constantFrom(
      ',"response":{',
      ',"body":',
      ',"error":null,"nightshift":{',
      '\\","body":{}',
    );
    fc.assert(
      fc.property(anOutcome(), odd, (outcome, text) => {
        const named = { ...outcome, customId: outcome.customId + text };
        const whole = { ...named, ...(named.kind === "completed" && withContent(text)) };
        expect(reused(whole)?.response).toEqual(whole.response);
      }),
    );
  });

  test("is none where the line is damaged", () => {
    expect(reuseLine(Buffer.from('{"id":"batch'), RECEIVER, () => SHARED)).toBeNull();
  });
});

function withContent(content: string): Pick<ReturnType<typeof aCompleted>, "response"> {
  return { response: { status: 200, requestId: content, body: aBody({ content }) } };
}
