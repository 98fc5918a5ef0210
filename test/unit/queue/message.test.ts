import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Outcome } from "../../../src/outcome.ts";
import { decodeMessage, encodeMessage } from "../../../src/queue/message.ts";

const count = fc.nat();
const text = fc.string({ unit: "binary" });

const ended = {
  index: count,
  customId: text,
  attempts: count,
  ms: fc.double({ min: 0, max: 1e9, noNaN: true }).map((ms) => ms + 0),
  possiblyBilled: count,
  retries: fc.dictionary(
    text.filter((name) => name !== "__proto__"),
    count,
    { noNullPrototype: true },
  ),
};

const response = fc.record({
  status: count,
  requestId: fc.option(text),
  body: text,
});

const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({
    kind: fc.constant("completed" as const),
    ...ended,
    summary: fc.record({
      model: text,
      finishReason: fc.option(text),
      usage: fc.option(
        fc.record({
          prompt: count,
          completion: count,
          total: count,
          cached: count,
          reasoning: count,
        }),
      ),
    }),
    response,
  }),
  fc.record({
    kind: fc.constant("failed" as const),
    ...ended,
    class: fc.constantFrom("item" as const, "retry" as const, "throttled" as const),
    response: fc.option(response),
    error: fc.record({ code: text, message: text }),
  }),
);

describe("a message from a worker to an owner", () => {
  test("says of an outcome exactly what it would be on the spot", () => {
    fc.assert(
      fc.property(outcomes, (outcome) => {
        const message = { kind: "outcome", outcome } as const;
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  test("tells trouble with the account as it was found", () => {
    const trouble = { reason: "account", message: "no money", remedy: "Top up." } as const;
    const message = { kind: "trouble", trouble } as const;
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  test.each([
    [[]],
    [["1"]],
    [["2", "{}"]],
    [["1", "{"]],
    [["1", "null"]],
    [["1", '{"kind":"completed"}']],
    [["1", '{"kind":"other"}']],
  ])("is not misread where it is none: %j", (fields) => {
    expect(decodeMessage(fields)).toBeNull();
  });

  test("is nothing without the body that it names", () => {
    fc.assert(
      fc.property(outcomes, (outcome) => {
        fc.pre(outcome.response !== null);
        const fields = encodeMessage({ kind: "outcome", outcome });
        expect(decodeMessage(fields.slice(0, 2))).toBeNull();
      }),
    );
  });
});
