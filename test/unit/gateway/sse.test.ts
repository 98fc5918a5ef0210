import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { createStreamReader, type StreamReader } from "../../../src/gateway/sse.ts";

function chunk(choices: readonly unknown[], more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1_795_000_000,
    model: "gpt-4o-mini",
    system_fingerprint: null,
    choices,
    ...more,
  });
}

function delta(part: unknown, finishReason: string | null = null, index = 0): string {
  return chunk([{ index, delta: part, logprobs: null, finish_reason: finishReason }]);
}

const USAGE = { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 };
const ROLE = delta({ role: "assistant", content: "" });
const STOP = delta({}, "stop");
const USAGE_CHUNK = chunk([], { id: "", created: 0, model: "", usage: USAGE });
const ERROR = { message: "upstream broke", type: "server_error", code: "do_request_failed" };

function events(...data: readonly string[]): string {
  return data.map((text) => `data: ${text}\n\n`).join("");
}

function readerOf(text: string): StreamReader {
  const reader = createStreamReader();
  reader.push(Buffer.from(text));
  return reader;
}

function read(text: string): unknown {
  return JSON.parse(readerOf(text).end());
}

const WHOLE = events(
  ROLE,
  delta({ content: "好的，" }),
  delta({ content: "positive 👍" }),
  STOP,
  USAGE_CHUNK,
  "[DONE]",
);
const WHOLE_READ = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_795_000_000,
  model: "gpt-4o-mini",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "好的，positive 👍", refusal: null },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: USAGE,
};

describe("an answer in events", () => {
  test("becomes one chat.completion", () => {
    expect(read(WHOLE)).toEqual(WHOLE_READ);
  });

  test("is the same wherever its bytes are split", () => {
    const bytes = Buffer.from(WHOLE);
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (positions) => {
        const reader = createStreamReader();
        const edges = [0, ...positions.sort((a, b) => a - b), bytes.length];
        edges.reduce((from, to) => {
          reader.push(bytes.subarray(from, to));
          return to;
        });
        expect(JSON.parse(reader.end())).toEqual(WHOLE_READ);
      }),
    );
  });

  test.each([
    ["CRLF line ends", WHOLE.replaceAll("\n", "\r\n")],
    ["no blank after the colon", WHOLE.replaceAll("data: ", "data:")],
    ["a byte order mark", `\u{FEFF}${WHOLE}`],
    ["pings between", WHOLE.replaceAll("data: ", ": PING\n\n:\n\ndata: ")],
    ["pings as events", `event: ping\ndata: {"type":"ping"}\n\ndata: ping\n\ndata:\n\n${WHOLE}`],
    ["no blank line at its end", WHOLE.trimEnd()],
    ["no [DONE]", WHOLE.replace("data: [DONE]\n\n", "")],
  ])("may have %s", (_, text) => {
    expect(read(text)).toEqual(WHOLE_READ);
  });

  test("keeps its choices apart, in order", () => {
    const text = events(
      delta({ content: "b" }, null, 1),
      delta({ content: "a" }, null, 0),
      delta({ content: "B" }, "length", 1),
      delta({ content: "A" }, "stop", 0),
    );
    expect(read(text)).toMatchObject({
      choices: [
        { index: 0, message: { content: "aA" }, finish_reason: "stop" },
        { index: 1, message: { content: "bB" }, finish_reason: "length" },
      ],
    });
  });

  test("puts tool calls together, whatever is repeated", () => {
    const call = (index: number, args: string, id?: string): unknown => ({
      tool_calls: [
        {
          index,
          ...(id === undefined ? {} : { id, type: "function" }),
          function: { name: index === 0 ? "weather" : "time", arguments: args },
        },
      ],
    });
    const text = events(
      delta({ role: "assistant", content: null }),
      delta(call(0, "", "call_1")),
      delta(call(0, '{"city":')),
      delta(call(1, "{}", "call_2")),
      delta(call(0, '"杭州"}')),
      delta({}, "tool_calls"),
    );
    expect(read(text)).toMatchObject({
      choices: [
        {
          message: {
            content: null,
            tool_calls: [
              {
                id: "call_1",
                type: "function",
                function: { name: "weather", arguments: '{"city":"杭州"}' },
              },
              { id: "call_2", type: "function", function: { name: "time", arguments: "{}" } },
            ],
          },
        },
      ],
    });
  });

  test("keeps a refusal, and reasoning beside the content", () => {
    const text = events(
      delta({ reasoning_content: "Let me " }),
      delta({ reasoning_content: "think.", content: null }),
      delta({ refusal: "I can't " }),
      delta({ refusal: "help." }, "stop"),
    );
    expect(read(text)).toMatchObject({
      choices: [{ message: { reasoning_content: "Let me think.", refusal: "I can't help." } }],
    });
  });

  test("joins logprobs", () => {
    const part = (token: string): unknown => ({
      index: 0,
      delta: { content: token },
      logprobs: { content: [{ token }], refusal: null },
      finish_reason: "stop",
    });
    expect(read(events(chunk([part("a")]), chunk([part("b")])))).toMatchObject({
      choices: [{ logprobs: { content: [{ token: "a" }, { token: "b" }] } }],
    });
  });

  test("takes a message where a delta should be", () => {
    const text = events(
      chunk([{ index: 0, message: { content: "whole" }, finish_reason: "stop" }]),
    );
    expect(read(text)).toMatchObject({ choices: [{ message: { content: "whole" } }] });
  });

  test("is not finished by a finish_reason that says nothing", () => {
    expect(readerOf(events(delta({ content: "a" }, ""))).settled).toBe(false);
  });
});

describe("an answer that broke off", () => {
  test("has no finish_reason, though usage and [DONE] came (F5)", () => {
    const text = events(ROLE, delta({ content: "half" }), USAGE_CHUNK, "[DONE]");
    expect(read(text)).toMatchObject({ choices: [{ finish_reason: null }], usage: USAGE });
  });

  test("has no finish_reason where the connection ended without [DONE] (F6)", () => {
    expect(read(events(ROLE, delta({ content: "half" })))).toMatchObject({
      choices: [{ finish_reason: null }],
    });
  });

  test("has no choices where only usage came (F8)", () => {
    expect(read(events(USAGE_CHUNK, "[DONE]"))).toMatchObject({ choices: [] });
  });

  test("does not pass for whole when a torn chunk ends it", () => {
    expect(read(`${events(ROLE)}data: {"id":"chatcmpl-1","cho`)).toMatchObject({
      error: { code: "not_json" },
    });
  });
});

describe("an error in the stream", () => {
  test.each([
    [
      "as a data frame, before usage and [DONE] (F1)",
      events(JSON.stringify({ error: ERROR }), USAGE_CHUNK, "[DONE]"),
    ],
    ["as an error event (F2)", `event: error\ndata: ${JSON.stringify({ error: ERROR })}\n\n`],
    [
      "as an error event that is the error itself",
      `event: error\ndata: ${JSON.stringify(ERROR)}\n\n`,
    ],
    ["named by its type (F3)", events(JSON.stringify({ type: "error", error: ERROR }))],
    ["as a bare line after a ping (F4)", `: PING\n\n${JSON.stringify({ error: ERROR })}`],
    [
      "as a bare line, then [DONE]",
      `: PING\n\n${JSON.stringify({ error: ERROR })}\n\ndata: [DONE]\n\n`,
    ],
    [
      "after half an answer",
      events(ROLE, delta({ content: "half" }), JSON.stringify({ error: ERROR })),
    ],
  ])("is the body, %s", (_, text) => {
    expect(read(text)).toMatchObject({ error: ERROR });
  });

  test("as a bare line is found wherever its bytes are split", () => {
    const bytes = Buffer.from(`: PING\n\n${JSON.stringify({ error: ERROR })}`);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length }), (cut) => {
        const reader = createStreamReader();
        reader.push(bytes.subarray(0, cut));
        reader.push(bytes.subarray(cut));
        expect(JSON.parse(reader.end())).toEqual({ error: ERROR });
      }),
    );
  });

  test("may be plain text (F2)", () => {
    expect(read("event: error\ndata: upstream broke\n\n")).toEqual({ error: "upstream broke" });
  });

  test("may be empty (F3)", () => {
    expect(read('data: {"type":"error","error":{}}\n\n')).toMatchObject({
      error: { type: "error" },
    });
  });

  test("does not undo an answer that was whole before", () => {
    expect(read(events(ROLE, STOP, JSON.stringify({ error: ERROR })))).toMatchObject({
      choices: [{ finish_reason: "stop" }],
    });
  });
});

describe("what is no event stream", () => {
  test.each(['{"choices":[{"finish_reason":"stop"}]}', '\n[{"error":"x"}]', "<html></html>", ""])(
    "is the body as it came: %j",
    (text) => {
      expect(readerOf(text).end()).toBe(text);
    },
  );
});

describe("while it comes", () => {
  test("a ping brings no content", () => {
    const reader = readerOf(events(ROLE));
    expect(reader.push(Buffer.from(": PING\n\n"))).toBe(false);
  });

  test("a chunk does", () => {
    expect(createStreamReader().push(Buffer.from(events(ROLE)))).toBe(true);
  });

  test("it is settled when every choice has its finish_reason", () => {
    const reader = readerOf(events(delta({ content: "a" }), delta({ content: "b" }, "stop", 1)));
    const before = reader.settled;
    reader.push(Buffer.from(events(STOP)));
    expect([before, reader.settled]).toEqual([false, true]);
  });

  test("it is settled by an error", () => {
    expect(readerOf(events(JSON.stringify({ error: ERROR }))).settled).toBe(true);
  });
});
