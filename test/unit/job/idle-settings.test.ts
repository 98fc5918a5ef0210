import { describe, expect, it } from "vitest";

import { idleSettings } from "../../../src/job/idle-settings.ts";
import type { RequestSpec } from "../../../src/job/request.ts";

const MESSAGES = [{ role: "user", content: "Hi" }];
const NOTHING: RequestSpec = { model: null, messages: null, params: {}, id: null };

function idle(spec: Partial<RequestSpec>, fields: Readonly<Record<string, unknown>>) {
  return idleSettings({ ...NOTHING, ...spec }, fields)?.names ?? [];
}

describe("for an OpenAI Batch line", () => {
  const body = { model: "gpt-4o", messages: MESSAGES, max_tokens: 5 };
  const line = { custom_id: "a", url: "/v1/chat/completions", body };

  it.each<[Partial<RequestSpec>, string[]]>([
    [{}, []],
    [{ model: "gpt-4o-mini" }, ["model"]],
    [{ params: { max_tokens: 50 } }, ["params"]],
    [{ params: { temperature: 0 } }, ["params"]],
    [{ messages: MESSAGES }, ["messages (the prompt)"]],
    [{ id: "{{ sku }}" }, ["id"]],
    [
      { model: "m", params: { seed: 1 }, messages: MESSAGES },
      ["model", "params", "messages (the prompt)"],
    ],
  ])("%j says in vain: %j", (spec, names) => {
    expect(idle(spec, line)).toEqual(names);
  });

  it("nothing is in vain that the line says, too", () => {
    expect(
      idle({ model: "gpt-4o", params: { max_tokens: 5 }, id: "{{ custom_id }}" }, line),
    ).toEqual([]);
  });

  it("the model counts where the line names none", () => {
    const nameless = { ...line, body: { messages: MESSAGES } };
    expect(idle({ model: "gpt-4o-mini" }, nameless)).toEqual([]);
  });
});

describe("for a request body", () => {
  const line = { id: "a", messages: MESSAGES, model: "gpt-4o" };

  it("the prompt is in vain, and what fills in may be", () => {
    const spec = { model: "gpt-4o-mini", params: { seed: 1 }, id: "{{ id }}" };
    expect(idle(spec, line)).toEqual([]);
    expect(idle({ ...spec, messages: MESSAGES }, line)).toEqual(["messages (the prompt)"]);
  });
});

it("all of it counts for a plain record", () => {
  const spec = { model: "m", params: { seed: 1 }, messages: MESSAGES, id: "{{ id }}" };
  expect(idle(spec, { id: "a", text: "Hello", body: "as text" })).toEqual([]);
});
