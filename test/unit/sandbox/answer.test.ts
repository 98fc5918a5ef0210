import { describe, expect, it } from "vitest";

import { answerTo, parseAnswerTemplate } from "../../../src/sandbox/answer.ts";
import { readChatRequest } from "../../../src/sandbox/chat-request.ts";
import type { ChatRequest } from "../../../src/sandbox/chat-request.ts";

function asking(text: string, also: object = {}): ChatRequest {
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: text },
  ];
  const chat = readChatRequest(JSON.stringify({ model: "gpt-4o-mini", messages, ...also }));
  if ("problem" in chat) throw new Error(chat.problem);
  return chat;
}

const say = (template: string, text: string, seed = 1): string =>
  answerTo(asking(text), parseAnswerTemplate(template), seed);

describe("answers", () => {
  it("echo the last user message", () => {
    expect(say("echo", "Prompt 17")).toBe("echo: Prompt 17");
  });

  it("label the same prompt alike every time", () => {
    expect(say("label", "Great!")).toBe(say("label", "Great!"));
  });

  it("use every label", () => {
    const said = Array.from({ length: 50 }, (_, index) => say("label:yes,no", `Prompt ${index}`));
    expect(new Set(said)).toEqual(new Set(["yes", "no"]));
  });

  it("depend on the seed", () => {
    const said = Array.from({ length: 20 }, (_, seed) => say("label:yes,no", "Prompt", seed));
    expect(new Set(said).size).toBe(2);
  });

  it("have as many words as asked for", () => {
    expect(say("lorem:120", "Prompt").split(" ")).toHaveLength(120);
  });

  it("match the schema of the request", () => {
    const schema = {
      type: "object",
      properties: {
        label: { enum: ["spam", "ham"] },
        score: { type: "integer", minimum: 5 },
        tags: { type: "array", items: { type: "string" }, minItems: 2 },
      },
    };
    const chat = asking("x", { response_format: { type: "json_schema", json_schema: { schema } } });
    expect(JSON.parse(answerTo(chat, { kind: "json" }, 1))).toEqual({
      label: expect.stringMatching(/^(spam|ham)$/) as string,
      score: expect.toSatisfy((score: number) => score >= 5) as number,
      tags: [expect.any(String), expect.any(String)],
    });
  });

  it.each(["ehco", "lorem", "lorem:0", "json:x"])("refuse the template %s", (text) => {
    expect(() => parseAnswerTemplate(text)).toThrow(`\`${text}\``);
  });
});

describe("readChatRequest", () => {
  it.each([
    ["{", "400-json"],
    ["[1]", "400-model"],
    ['"text"', "400-json"],
    ['{"messages":[{}]}', "400-model"],
    ['{"model":"m","messages":[]}', "500-messages"],
  ])("complains about %s as new-api does", (text, problem) => {
    expect(readChatRequest(text)).toMatchObject({ problem });
  });

  it("reads text out of content parts", () => {
    const content = [
      { type: "text", text: "one " },
      { type: "image_url" },
      { type: "text", text: "two" },
    ];
    const chat = asking("x", { messages: [{ role: "user", content }] });
    expect(chat.lastUserText).toBe("one two");
  });
});
