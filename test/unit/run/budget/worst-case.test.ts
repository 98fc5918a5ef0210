import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { largerCase, worstCase } from "../../../../src/run/budget/worst-case.ts";
import { readChatRequest } from "../../../../src/sandbox/chat-request.ts";
import { tokensOf } from "../../../../src/sandbox/tokens.ts";
import { estimateTokens } from "../../../../src/tokens.ts";

function aBody(fields: object = {}, content: unknown = "Say hello"): string {
  return JSON.stringify({ model: "m", messages: [{ role: "user", content }], ...fields });
}

describe("the worst case of a request", () => {
  it.each([
    [{ max_tokens: 50 }, 50],
    [{ max_completion_tokens: 70 }, 70],
    [{ max_tokens: 50, max_completion_tokens: 70 }, 70],
    [{ max_tokens: 50, n: 3 }, 150],
    [{}, null],
    [{ max_tokens: 0 }, null],
    [{ max_tokens: "50" }, null],
    [{ max_tokens: null, n: 2 }, null],
  ])("with %j answers with at most %j tokens", (fields, completion) => {
    expect(worstCase(aBody(fields)).completion).toBe(completion);
  });

  it("takes a byte for a token, in any script", () => {
    const body = aBody({}, "评论 👍");
    expect(worstCase(body).prompt).toBe(Buffer.byteLength(body));
  });

  it("is never below what the text is estimated at, nor below what the sandbox counts", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const { prompt } = worstCase(aBody({}, text));
        const chat = readChatRequest(aBody({}, text));
        const billed = "promptWeight" in chat ? tokensOf(chat.promptWeight) : Infinity;
        expect(prompt).toBeGreaterThanOrEqual(Math.max(estimateTokens(text), billed));
      }),
    );
  });

  it("takes a picture for what the dearest picture costs, not for the bytes that it is sent in", () => {
    const picture = {
      type: "image_url",
      image_url: { url: `data:image/png;base64,${"A".repeat(1e6)}` },
    };
    const elsewhere = { type: "image_url", image_url: { url: "https://example.com/a.png" } };
    for (const content of [[picture], [elsewhere]]) {
      const { prompt } = worstCase(aBody({}, content));
      expect(prompt).toBeGreaterThan(50_000);
      expect(prompt).toBeLessThan(50_200);
    }
  });
});

it("of several items is the larger in each part", () => {
  const one = { prompt: 10, completion: 5 };
  expect(largerCase(null, one)).toEqual(one);
  expect(largerCase(one, { prompt: 4, completion: 9 })).toEqual({ prompt: 10, completion: 9 });
  expect(largerCase(one, { prompt: 4, completion: null }).completion).toBeNull();
});
