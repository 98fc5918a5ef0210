import { describe, expect, it } from "vitest";

import type { Completion } from "../../../src/sandbox/completion.ts";
import { streamOf } from "../../../src/sandbox/stream.ts";
import type { StreamStyle, StreamTrouble } from "../../../src/sandbox/stream.ts";

const completion: Completion = {
  requestId: "1",
  created: 1,
  model: "m",
  content: "The answer: 你好 😀 and a few more words to fill chunks.",
  finishReason: "stop",
  promptTokens: 3,
  completionTokens: 14,
};

function text(trouble?: StreamTrouble, style: StreamStyle = {}, withUsage = true): string {
  return streamOf(completion, withUsage, style, trouble).frames.join("");
}

/** The content that a client would put together. */
function contentOf(stream: string): string {
  return [...stream.matchAll(/^data: ?(\{.*\})\r?$/gm)]
    .map(([, json = ""]) => JSON.parse(json) as { choices?: { delta: { content?: string } }[] })
    .map((chunk) => chunk.choices?.[0]?.delta.content ?? "")
    .join("");
}

describe("a sound stream", () => {
  it("holds the whole answer", () => {
    expect(contentOf(text())).toBe(completion.content);
  });

  it("ends in finish_reason, usage and [DONE]", () => {
    expect(text()).toMatch(
      /"finish_reason":"stop"\}\]\}\n\ndata: \{[^\n]*"choices":\[\],"usage":\{[^\n]*\n\ndata: \[DONE\]\n\n$/,
    );
  });

  it("leaves usage out when told to", () => {
    expect(text(undefined, {}, false)).not.toContain("usage");
  });

  it("can use CRLF, no space, and pings", () => {
    const styled = text(undefined, { crlf: true, tight: true, ping: ": PING" });
    expect(styled.startsWith(": PING\r\n\r\ndata:{")).toBe(true);
    expect(contentOf(styled)).toBe(completion.content);
  });
});

describe("a stream in trouble", () => {
  it.each(["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "cut"] as const)(
    "of kind %s never says why it finished",
    (trouble) => expect(text(trouble)).not.toMatch(/"finish_reason":"/),
  );

  it.each([
    ["F1", true],
    ["F2", false],
    ["F3", false],
    ["F4", false],
    ["F5", true],
    ["F6", false],
    ["F7", false],
    ["F8", true],
    ["F9", false],
  ] as const)("of kind %s ends in [DONE]: %s", (trouble, done) => {
    expect(text(trouble).endsWith("data: [DONE]\n\n")).toBe(done);
  });

  it.each([
    ["F6", "end"],
    ["F7", "reset"],
    ["F9", "silence"],
    ["cut", "close"],
  ] as const)("of kind %s leaves the connection with: %s", (trouble, ending) => {
    expect(streamOf(completion, true, {}, trouble).ending).toBe(ending);
  });

  it("of kind F4 hides the error outside of data", () => {
    expect(text("F4")).toMatch(/^: PING\n\n\{"error":/);
  });

  it("of kind F5 holds a part of the answer", () => {
    const part = contentOf(text("F5"));
    expect(part).not.toBe("");
    expect(completion.content?.startsWith(part)).toBe(true);
  });

  it("of kind F8 says nothing but usage", () => {
    expect(text("F8")).toMatch(/^data: \{"id":"",.*"created":0,"model":"".*"choices":\[\],"usage"/);
  });
});
