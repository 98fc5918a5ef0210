import { describe, expect, it } from "vitest";

import { compileRequests, type RequestSpec } from "../../../src/job/request.ts";

const SPEC: RequestSpec = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: "Say {{ text }}" }],
  params: { temperature: 0 },
  id: null,
};

function request(
  fields: Record<string, unknown>,
  spec: Partial<RequestSpec> = {},
  index = 7,
): { customId: string; body: unknown } {
  const { customId, body } = compileRequests(
    { ...SPEC, ...spec },
    null,
    "job.yaml",
  )({ index, fields });
  return { customId, body: JSON.parse(body) };
}

function compileError(columns: readonly string[], spec: Partial<RequestSpec> = {}): string {
  return failure(() => compileRequests({ ...SPEC, ...spec }, columns, "job.yaml"));
}

/** The error that it throws, as `name: message`. */
function failure(action: () => unknown): string {
  try {
    action();
    return "no error";
  } catch (error) {
    return String(error);
  }
}

const LINE = {
  custom_id: "request-1",
  method: "POST",
  url: "/v1/chat/completions",
  body: { model: "own", messages: [{ role: "user", content: "{{ text }}" }], seed: 1 },
};

describe("a plain record", () => {
  it("fills the templates", () => {
    expect(request({ text: "hi" })).toEqual({
      customId: "7",
      body: {
        model: "gpt-4o-mini",
        messages: [{ role: "user", content: "Say hi" }],
        temperature: 0,
      },
    });
  });

  it("fills templates in content parts, and keeps what is no text", () => {
    const content = [
      { type: "text", text: "Say {{ text }}" },
      { type: "image_url", image_url: { url: "{{ url }}", detail: "low", cached: true } },
    ];
    const { body } = request(
      { text: "hi", url: "https://a/b" },
      { messages: [{ role: "user", content }] },
    );
    expect(body).toMatchObject({
      messages: [
        {
          content: [
            { type: "text", text: "Say hi" },
            { type: "image_url", image_url: { url: "https://a/b", detail: "low", cached: true } },
          ],
        },
      ],
    });
  });

  it("keeps the name of a message", () => {
    const messages = [{ role: "user", name: "editor", content: "{{ text }}" }];
    expect(request({ text: "hi" }, { messages }).body).toMatchObject({
      messages: [{ role: "user", name: "editor", content: "hi" }],
    });
  });

  it("takes params as they are, never as templates", () => {
    expect(request({ text: "hi" }, { params: { user: "{{ text }}" } }).body).toMatchObject({
      user: "{{ text }}",
    });
  });

  it("may have text in fields that make other records requests", () => {
    const fields = { text: "hi", body: "Dear Sir", messages: "none", url: "/", method: "GET" };
    expect(request(fields).body).toMatchObject({ messages: [{ content: "Say hi" }] });
  });

  it.each([
    [{ messages: null }, "--prompt"],
    [{ model: null }, "--model"],
  ])("fails when the job lacks %j", (spec, remedy) => {
    const thrown = failure(() => request({ text: "hi" }, spec));
    expect(thrown).toMatch(/^RecordError: /);
    expect(thrown).toContain(remedy);
  });
});

describe("an OpenAI Batch line", () => {
  it("is sent as it is under its own id", () => {
    expect(request(LINE, { id: "{{ text }}" })).toEqual({ customId: "request-1", body: LINE.body });
  });

  it("needs no job at all", () => {
    const bare = { model: null, messages: null, params: {}, id: null };
    expect(request(LINE, bare)).toEqual({ customId: "request-1", body: LINE.body });
  });

  it.each([
    [{ url: "/v1/embeddings" }, 'the url of this batch line is "/v1/embeddings"'],
    [{ method: "GET" }, 'the method of this batch line is "GET"'],
  ])("is refused with %j", (change, message) => {
    const thrown = failure(() => request({ ...LINE, ...change }));
    expect(thrown).toMatch(/^RecordError: /);
    expect(thrown).toContain(message);
  });
});

describe("a request body", () => {
  const messages = [{ role: "user", content: "{{ literally }}" }];

  it("gets the model and the params that it lacks", () => {
    expect(request({ messages }, { messages: null })).toEqual({
      customId: "7",
      body: { model: "gpt-4o-mini", temperature: 0, messages },
    });
  });

  it("keeps its own model and params", () => {
    const own = { model: "own", temperature: 1, messages };
    expect(request(own).body).toEqual(own);
  });

  it.each(["custom_id", "id"])("gives its %s to the item and does not send it", (name) => {
    const { customId, body } = request({ [name]: "mine", messages });
    expect(customId).toBe("mine");
    expect(body).not.toHaveProperty(name);
  });
});

it.each([
  ["plain record", { text: "hi" }],
  ["request body", { messages: [], stream: true, stream_options: { include_usage: true } }],
  ["batch line", { ...LINE, body: { ...LINE.body, stream: true, stream_options: {} } }],
])("leaves streaming to the client: %s", (_name, fields) => {
  const { body } = request(fields, { params: { stream: true, stream_options: {} } });
  expect(body).not.toHaveProperty("stream");
  expect(body).not.toHaveProperty("stream_options");
});

describe("an id", () => {
  it.each([
    [{ text: "hi", custom_id: "c", id: "i" }, "{{ text }}", "hi"],
    [{ text: "hi", custom_id: "c", id: "i" }, null, "c"],
    [{ text: "hi", id: "i" }, null, "i"],
    [{ text: "hi", id: 12 }, null, "12"],
    [{ text: "hi" }, null, "7"],
  ])("of %j with the template %j is %s", (fields, id, expected) => {
    expect(request(fields, { id }).customId).toBe(expected);
  });

  it.each([
    [{ text: "hi", id: "" }, null, "`id` gives an empty id"],
    [{ text: "hi", custom_id: " " }, null, "`custom_id` gives an empty id"],
    [{ text: "" }, "{{ text }}", "the `id` template gives an empty id"],
    [{ text: "hi", id: null }, null, "`id` is null"],
    [{ text: "hi", id: 2 ** 60 }, null, "a number below 2^53"],
    [{ ...LINE, custom_id: "" }, null, "`custom_id` gives an empty id"],
  ])("of %j with the template %j is refused", (fields, id, message) => {
    const thrown = failure(() => request(fields, { id }));
    expect(thrown).toMatch(/^RecordError: /);
    expect(thrown).toContain(message);
  });
});

describe("against the columns of a CSV file", () => {
  it.each([
    [["txt", "id"], "Did you mean {{ txt }}?"],
    [["Text"], "Did you mean {{ Text }}?"],
    [["my text", " text"], 'Did you mean {{ [" text"] }}?'],
    [["text of it"], 'Did you mean {{ ["text of it"] }}?'],
    [["评论", "number"], "The columns are `评论`, `number`."],
  ])("refuses a template that asks for none of %j", (columns, hint) => {
    const message = compileError(columns);
    expect(message).toContain("UsageError: job.yaml: messages[0].content: unknown column `text`.");
    expect(message).toContain(hint);
  });

  it("guesses no column that is unlike the name", () => {
    expect(compileError(["评论", "number"])).not.toContain("Did you mean");
  });

  it("lists no more than 20 columns", () => {
    const columns = Array.from({ length: 50 }, (_, at) => `column-${at}`);
    expect(compileError(columns)).toContain("`column-19` and 30 more.");
  });

  it("checks the id template too", () => {
    expect(compileError(["text"], { id: "{{ review_id }}" })).toContain(
      "job.yaml: id: unknown column `review_id`",
    );
  });

  it("refuses a column that occurs twice where it is used", () => {
    expect(compileError(["text", "text"])).toContain("2 columns called `text`");
    expect(compileError(["text", "id", "id"])).toContain("2 columns called `id`");
    expect(compileError(["text", "other", "other"])).toBe("no error");
  });

  it.each([
    [{ messages: null }, "--prompt"],
    [{ model: null }, "--model"],
  ])("refuses a job without %j before any record", (spec, remedy) => {
    expect(compileError(["text"], spec)).toContain(remedy);
  });
});
