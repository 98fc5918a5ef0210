import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { HASH_BYTES, readRequest } from "../../../src/job/request-hash.ts";

const REQUEST = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Say hello" }],
  temperature: 0,
  response_format: { type: "json_schema", json_schema: { name: "a", strict: true } },
};

function hashOf(request: object): string {
  return readRequest(JSON.stringify(request)).hash.toString("hex");
}

describe("two requests are the same", () => {
  test("however their fields are ordered, at any depth", () => {
    const { model, messages, temperature } = REQUEST;
    const format = { json_schema: { strict: true, name: "a" }, type: "json_schema" };
    expect(hashOf({ response_format: format, temperature, messages, model })).toBe(hashOf(REQUEST));
  });

  test("however a number is spelled", () => {
    const spelled = JSON.stringify(REQUEST).replace('"temperature":0', '"temperature":0.00');
    expect(readRequest(spelled).hash.toString("hex")).toBe(hashOf(REQUEST));
  });

  test("whatever labels they carry", () => {
    const labels = { user: "u1", metadata: { row: "7" }, store: true, prompt_cache_key: "k" };
    expect(hashOf({ ...REQUEST, ...labels })).toBe(hashOf(REQUEST));
  });
});

describe("two requests differ", () => {
  test.each([
    ["the model", { model: "gpt-4o" }],
    ["a text", { messages: [{ role: "user", content: "Say hello " }] }],
    ["a role", { messages: [{ role: "system", content: "Say hello" }] }],
    ["a param", { temperature: 0.1 }],
    ["a param that one lacks", { seed: 1 }],
    ["a label's name within a message", { messages: [{ ...REQUEST.messages[0], user: "u1" }] }],
    ["a nested field", { response_format: { type: "text" } }],
  ])("in %s", (_name, change) => {
    expect(hashOf({ ...REQUEST, ...change })).not.toBe(hashOf(REQUEST));
  });

  test("in the order of their messages, which is what is said", () => {
    const [first] = REQUEST.messages;
    const second = { role: "assistant", content: "hello" };
    expect(hashOf({ messages: [first, second] })).not.toBe(hashOf({ messages: [second, first] }));
  });

  test("wherever their JSON does", () => {
    const values = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(values, values, (one, other) => {
        const same = hashOf({ a: one }) === hashOf({ a: other });
        expect(same).toBe(canonical(one) === canonical(other));
      }),
    );
  });
});

test("a hash has 128 bits", () => {
  expect(readRequest(JSON.stringify(REQUEST)).hash).toHaveLength(HASH_BYTES);
});

test("the temperature is told where the request names one", () => {
  expect(readRequest(JSON.stringify(REQUEST)).temperature).toBe(0);
  expect(readRequest('{"model":"a"}').temperature).toBeNull();
});

/** The slow and plain way. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
      : inner,
  );
}
