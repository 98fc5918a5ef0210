import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { formatLine, lineIndex, linePrefix, requestInLine } from "../../../src/ledger/line.ts";
import { aCompleted, aFailed, anOutcome, RUN_ID } from "./run-directory.ts";

describe("a ledger line", () => {
  test("is an OpenAI Batch output line with a note of ours", () => {
    expect(JSON.parse(formatLine(RUN_ID, aCompleted(4, { retries: { timeout: 1 } })))).toEqual({
      id: `batch_req_${RUN_ID}_4`,
      custom_id: "row-4",
      response: {
        status_code: 200,
        request_id: "req-4",
        body: {
          id: "chatcmpl-1",
          model: "gpt-4o-mini",
          choices: [
            {
              index: 0,
              message: { role: "assistant", content: "positive" },
              finish_reason: "stop",
            },
          ],
          usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
        },
      },
      error: null,
      nightshift: { attempts: 1, ms: 800, possibly_billed: 0, retries: { timeout: 1 } },
    });
  });

  test("has the gateway's answer and no error of its own where the gateway refused", () => {
    const response = { status: 400, requestId: "r", body: '{"error":{"message":"no"}}' };
    const line = JSON.parse(formatLine(RUN_ID, aFailed(1, { response }))) as Record<
      string,
      unknown
    >;
    expect([line["error"], line["response"]]).toEqual([
      null,
      { status_code: 400, request_id: "r", body: { error: { message: "no" } } },
    ]);
  });

  test("has an error and no response where the gateway never answered", () => {
    const error = { code: "timeout", message: "no answer in 60 s" };
    const line = JSON.parse(formatLine(RUN_ID, aFailed(1, { error }))) as Record<string, unknown>;
    expect([line["error"], line["response"]]).toEqual([error, null]);
  });

  test("keeps the gateway's body to the letter", () => {
    const body = '{"seed":12345678901234567890,"t":1.0,"choices":[]}';
    expect(formatLine(RUN_ID, aCompleted(0, { body }))).toContain(`"body":${body}}`);
  });

  test("is one line of JSON that tells its index, whatever the texts hold", () => {
    fc.assert(
      fc.property(anOutcome(1_000_000), (outcome) => {
        const line = formatLine(RUN_ID, outcome);
        expect(line).not.toContain("\n");
        expect(JSON.parse(line)).toHaveProperty("custom_id", outcome.customId);
        expect(lineIndex(line, linePrefix(RUN_ID))).toBe(outcome.index);
      }),
    );
  });
});

describe("what a line says was asked", () => {
  const request = "0123456789abcdef0123456789abcdef";
  const read = (line: string): string | null => requestInLine(Buffer.from(line));

  test("is read from its note alone, whatever the answer says", () => {
    const body = `{"nightshift":{"request":"ffffffffffffffffffffffffffffffff"},"request":"${"e".repeat(32)}"}`;
    const outcome = { ...aCompleted(3), response: { status: 200, requestId: null, body } };
    expect(read(formatLine(RUN_ID, outcome, request))).toBe(request);
    expect(read(formatLine(RUN_ID, outcome))).toBeNull();
    expect(read(formatLine(RUN_ID, aFailed(3), request))).toBe(request);
  });

  test("is nothing where the line is damaged", () => {
    const line = formatLine(RUN_ID, aCompleted(3), request);
    expect([read(""), read(line.slice(0, -20)), read(line.replace("0123", "xyz0"))]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe("the index of a line", () => {
  test.each([
    ["another run's line", '{"id":"batch_req_other_3","custom_id":"a"}'],
    ["a line without index", `{"id":"batch_req_${RUN_ID}_","custom_id":"a"}`],
    ["a user's custom_id that looks like ours", `{"custom_id":"x","id":"batch_req_${RUN_ID}_3"}`],
    ["an index that no run can have", `{"id":"batch_req_${RUN_ID}_999999999999999"}`],
    ["nothing", ""],
  ])("is unknown for %s", (_name, line) => {
    expect(lineIndex(line, linePrefix(RUN_ID))).toBeNull();
  });
});
