import { describe, expect, it } from "vitest";

import { readChatRequest } from "../../../src/sandbox/chat-request.ts";
import type { Damage } from "../../../src/sandbox/fault.ts";
import { composeReply } from "../../../src/sandbox/reply.ts";
import type { Composed, ReplySetup } from "../../../src/sandbox/reply.ts";

const setup: ReplySetup = {
  seed: 1,
  template: { kind: "echo" },
  profile: "newapi",
  streamStyle: {},
};

function compose(damage?: Damage, also: object = {}, profile = setup.profile): Composed {
  const body = { model: "m", messages: [{ role: "user", content: "Hello there" }], ...also };
  const chat = readChatRequest(JSON.stringify(body));
  if ("problem" in chat) throw new Error(chat.problem);
  const fault = damage === undefined ? undefined : ({ kind: "damage", name: damage } as const);
  return composeReply(chat, fault, "1", 1, { ...setup, profile });
}

function bodyOf({ reply }: Composed): unknown {
  return reply.kind === "whole" ? JSON.parse(reply.body) : null;
}

describe("composeReply", () => {
  it("counts what was said", () => {
    expect(bodyOf(compose())).toMatchObject({
      choices: [{ message: { content: "echo: Hello there" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
    });
  });

  it("stops at max_tokens", () => {
    expect(bodyOf(compose(undefined, { max_tokens: 2 }))).toMatchObject({
      choices: [{ message: { content: "echo: He" }, finish_reason: "length" }],
      usage: { completion_tokens: 2 },
    });
  });

  it.each([
    ["nullcontent", { choices: [{ message: { content: null } }] }],
    ["emptychoices", { choices: [] }],
    ["length", { choices: [{ finish_reason: "length" }] }],
    ["content_filter", { choices: [{ finish_reason: "content_filter" }] }],
    ["error200", { error: { code: "server_error" } }],
  ] as const)("damages the body by %s", (damage, expected) => {
    expect(bodyOf(compose(damage))).toMatchObject(expected);
  });

  it.each([
    ["nousage", "usage"],
    ["nochoices", "choices"],
  ] as const)("by %s leaves out %s", (damage, field) => {
    expect(bodyOf(compose(damage))).not.toHaveProperty(field);
  });

  it.each([
    ["reset", false],
    ["html200", false],
    ["error200", false],
    ["timeout", true],
    ["cut", true],
    ["garbage", true],
    ["nochoices", true],
  ] as const)("bills %s: %s", (damage, billed) => {
    expect(compose(damage).billed).toBe(billed);
  });

  it.each([
    ["newapi", {}, true],
    ["newapi", { stream_options: { include_usage: false } }, false],
    ["openai", {}, false],
    ["openai", { stream_options: { include_usage: true } }, true],
  ] as const)("as %s with %j streams usage: %s", (profile, also, usage) => {
    const { reply } = compose(undefined, { stream: true, ...also }, profile);
    const text = reply.kind === "stream" ? reply.frames.join("") : "";
    expect(text.includes('"usage":{')).toBe(usage);
  });
});
