import { request as httpRequest } from "node:http";
import type { ClientRequest } from "node:http";

import OpenAI, {
  type APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  PermissionDeniedError,
  RateLimitError,
} from "openai";
import { afterEach, describe, expect, it, vi } from "vitest";

import { sandbox } from "../../src/commands/sandbox.ts";
import { readPriceList } from "../../src/gateway/price-list.ts";
import { startSandbox } from "../../src/sandbox/sandbox.ts";
import type { Sandbox, SandboxOptions } from "../../src/sandbox/sandbox.ts";
import { FakeClock } from "../fakes/fake-clock.ts";

const running: Sandbox[] = [];

afterEach(async () => {
  for (const started of running.splice(0)) await started.close();
});

async function start(options?: SandboxOptions): Promise<Sandbox> {
  const started = await startSandbox(options);
  running.push(started);
  return started;
}

function client(server: Sandbox, apiKey = "sk-demo"): OpenAI {
  return new OpenAI({ apiKey, baseURL: server.url, maxRetries: 0 });
}

function prompt(content: string, model = "gpt-4o-mini") {
  return { model, messages: [{ role: "user" as const, content }] };
}

async function post(server: Sandbox, body: object, headers: Record<string, string> = {}) {
  return fetch(`${server.url}/chat/completions`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Authorization: "Bearer sk-demo",
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

/** Sends a call and gives no heed to what comes of it. */
function postAndForget(server: Sandbox, content: string): ClientRequest {
  const call = httpRequest(`${server.url}/chat/completions`, {
    method: "POST",
    headers: { Authorization: "Bearer sk-demo" },
    agent: false,
  });
  call.on("error", () => {});
  call.end(JSON.stringify(prompt(content)));
  return call;
}

async function control(server: Sandbox, path: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${server.port}/__sandbox/${path}`, init);
  return response.json();
}

describe("the quick start", () => {
  const body = {
    model: "gpt-4o-mini",
    messages: [
      { role: "system", content: "You are a professional AI assistant." },
      { role: "user", content: "Hello! Introduce yourself." },
    ],
  };

  it("answers its curl", async () => {
    const response = await post(await start(), body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      object: "chat.completion",
      model: "gpt-4o-mini",
      choices: [{ message: { role: "assistant", content: "echo: Hello! Introduce yourself." } }],
      usage: { prompt_tokens: 16, completion_tokens: 8, total_tokens: 24 },
    });
  });

  it("names each call in a header", async () => {
    const server = await start();
    const response = await post(server, body);
    expect(response.headers.get("x-oneapi-request-id")).toBe(server.ledger()[0]?.id);
  });

  it("serves a web page where the base URL lacks /v1", async () => {
    const server = await start();
    const response = await fetch(`http://127.0.0.1:${server.port}/chat/completions`, {
      method: "POST",
    });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "text/html; charset=utf-8",
    ]);
  });

  it("survives a path that cannot be decoded", async () => {
    const response = await fetch(`${(await start()).url}/models/%ff`, {
      headers: { Authorization: "Bearer sk-demo" },
    });
    expect(await response.json()).toMatchObject({ error: { code: "model_not_found" } });
  });

  it("knows no other API path", async () => {
    const response = await fetch(`${(await start()).url}/embeddings`, { method: "POST" });
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining("Invalid URL (POST /v1/embeddings)"),
    ]);
  });
});

describe("the official client", () => {
  it("gets a completion", async () => {
    const completion = await client(await start()).chat.completions.create(prompt("Prompt 17"));
    expect(completion.choices[0]?.message.content).toBe("echo: Prompt 17");
  });

  it.each([{}, { split: true }, { split: true, crlf: true, tight: true, ping: ": PING" } as const])(
    "puts a stream together that is written as %j",
    async (streamStyle) => {
      const stream = await client(await start({ streamStyle })).chat.completions.create({
        ...prompt("你好 😀, say it in pieces please"),
        stream: true,
        stream_options: { include_usage: true },
      });
      let content = "";
      let total: number | undefined;
      for await (const chunk of stream) {
        content += chunk.choices[0]?.delta.content ?? "";
        total = chunk.usage?.total_tokens ?? total;
      }
      expect([content, total]).toEqual(["echo: 你好 😀, say it in pieces please", 20]);
    },
  );

  it("lists the models that its key may use", async () => {
    const server = await start({ models: ["gpt-4o", "gpt-4o-mini"] });
    const listed = async (key: string) =>
      (await client(server, key).models.list()).data.map((model) => model.id);
    expect(await listed("sk-demo")).toEqual(["gpt-4o", "gpt-4o-mini"]);
    expect(await listed("sk-limited")).toEqual(["gpt-4o-mini"]);
  });

  it.each([
    ["sk-nobody", "Hi", AuthenticationError, ""],
    ["sk-expired", "Hi", AuthenticationError, ""],
    ["sk-broke", "Hi", PermissionDeniedError, "insufficient_user_quota"],
    ["sk-demo", "[[fault:429]]", RateLimitError, ""],
    ["sk-demo", "[[fault:quota]]", RateLimitError, "insufficient_quota"],
    ["sk-demo", "[[fault:context]]", BadRequestError, "context_length_exceeded"],
    ["sk-demo", "[[fault:blocked]]", InternalServerError, "sensitive_words_detected"],
    ["sk-demo", "[[fault:model503]]", InternalServerError, "model_not_found"],
  ])("with %s and %s meets the right error", async (key, content, kind, code) => {
    const server = await start();
    const thrown: unknown = await client(server, key)
      .chat.completions.create(prompt(content))
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(kind);
    expect((thrown as APIError).code).toBe(code);
  });

  it("is refused a model that nobody offers", async () => {
    const call = client(await start()).chat.completions.create(prompt("Hi", "gpt-99"));
    await expect(call).rejects.toMatchObject({ status: 503, code: "model_not_found" });
  });

  it("is refused a model that its key may not use", async () => {
    const server = await start();
    const call = client(server, "sk-limited").chat.completions.create(prompt("Hi", "gpt-4o"));
    await expect(call).rejects.toMatchObject({ status: 403 });
  });

  it.each(["reset", "cut"])("loses the connection by %s", async (name) => {
    const call = client(await start()).chat.completions.create(prompt(`[[fault:${name}]]`));
    await expect(call).rejects.toThrow();
  });

  it.each(["F1", "F2", "F7", "cut"])("meets an error in a stream with %s", async (name) => {
    const server = await start();
    const read = async (): Promise<void> => {
      const stream = await client(server).chat.completions.create({
        ...prompt(`[[fault:${name}]] and enough words for a few chunks`),
        stream: true,
      });
      for await (const _chunk of stream);
    };
    await expect(read()).rejects.toThrow();
  });

  it("may try again and get through", async () => {
    const server = await start();
    server.script([
      { fault: "502", times: 1 },
      { status: 429, headers: { "retry-after-ms": "1" } },
    ]);
    const hasty = client(server).chat.completions.create(prompt("Hi"));
    await expect(hasty).rejects.toThrow("502");
    const patient = new OpenAI({ apiKey: "sk-demo", baseURL: server.url, maxRetries: 1 });
    await patient.chat.completions.create(prompt("Hi"));
    expect(server.ledger()).toMatchObject([
      { attempt: 1, status: 502, fault: "502", billed: false },
      { attempt: 2, status: 429, fault: "script", billed: false },
      { attempt: 3, status: 200, fault: null, billed: true },
    ]);
  });
});

describe("answers on the wire", () => {
  it("keep the type of a stream when they are errors", async () => {
    const response = await post(await start(), { ...prompt("[[fault:500]]"), stream: true });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      500,
      "text/event-stream",
    ]);
    expect(await response.json()).toMatchObject({ error: { code: "do_request_failed" } });
  });

  it.each([
    ["garbage", "application/json", "upstream says"],
    ["html200", "text/html; charset=utf-8", "<!doctype html>"],
    ["error200", "application/json", '{"error":'],
  ])("can be a 200 with %s", async (name, type, beginning) => {
    const response = await post(await start(), prompt(`[[fault:${name}]]`));
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    expect((await response.text()).startsWith(beginning)).toBe(true);
  });

  it("carry no header of the gateway when the edge made them", async () => {
    const { headers } = await post(await start(), prompt("[[fault:524]]"));
    expect([headers.get("x-oneapi-request-id"), headers.get("server")]).toEqual([
      null,
      "cloudflare",
    ]);
  });

  it("come at the pace of the model", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, latency: { ttftMs: 1000, tokensPerSecond: 10 } });
    const call = post(server, prompt("abcdefghijklmnopqrstuvwxyz1234"));
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(1));
    // 36 characters are 9 tokens: 900 ms after the first.
    await clock.advance(1899);
    const before = server.stats().inFlight;
    await clock.advance(1);
    expect([before, (await call).status, server.stats().inFlight]).toEqual([1, 200, 0]);
  });

  it("come in pieces when they are streamed", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, latency: { ttftMs: 1000, tokensPerSecond: 10 } });
    const call = post(server, { ...prompt("abcdefghijklmnopqrstuvwxyz1234"), stream: true });
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(1));
    await clock.advance(1000);
    const reader = (await call).body?.getReader();
    const read = (await reader?.read()) as { value?: Uint8Array } | undefined;
    const first = new TextDecoder().decode(read?.value);
    expect(first).toContain('"delta":{"role":"assistant","content":""}');
    expect(first).not.toContain("[DONE]");
    await clock.advance(900);
    expect(server.stats().inFlight).toBe(0);
    await reader?.cancel();
  });

  it("come at any moment of a range", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, latency: { ttftMs: { min: 200, max: 400 } } });
    const calls = Array.from({ length: 40 }, (_, n) => post(server, prompt(`${n}`)));
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(40));
    const left: number[] = [];
    for (const ms of [199, 101, 100]) {
      await clock.advance(ms);
      left.push(server.stats().inFlight);
    }
    await Promise.all(calls);
    expect(left).toEqual([40, 22, 0]);
  });

  it("are late by slowMs when slow", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, slowMs: 300 });
    const call = post(server, prompt("[[fault:slow]]"));
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(1));
    await clock.advance(300);
    expect((await call).status).toBe(200);
  });
});

describe("limits", () => {
  it("let in as many as the key may", async () => {
    const server = await start({ clock: new FakeClock(), limits: { rpm: 3 } });
    const calls = await Promise.all([1, 2, 3, 4, 5].map((n) => post(server, prompt(`${n}`))));
    expect(calls.filter((call) => call.status === 429)).toHaveLength(2);
  });

  it("say when to come back only if told to", async () => {
    const clock = new FakeClock();
    const server = await start({
      clock,
      limits: { rpm: 1, retryAfter: "seconds" },
      keys: { "sk-silent": { limits: { rpm: 1, bodyVariant: "empty" } } },
    });
    const second = async (key: string): Promise<[string | null, string]> => {
      await post(server, prompt("1"), { Authorization: `Bearer ${key}` });
      const refused = await post(server, prompt("2"), { Authorization: `Bearer ${key}` });
      return [refused.headers.get("retry-after"), await refused.text()];
    };
    expect(await second("sk-demo")).toEqual(["60", expect.stringContaining("1分钟内最多请求1次")]);
    expect(await second("sk-silent")).toEqual([null, ""]);
  });

  it.each([
    ["sk-rpm60", "1分钟内最多请求60次"],
    ["sk-demo", "1分钟内最多请求1000000次"],
  ])("are not lied about by a fault: %s", async (key, told) => {
    const headers = { Authorization: `Bearer ${key}` };
    const refused = await post(await start(), prompt("[[fault:429]]"), headers);
    expect(await refused.text()).toContain(told);
  });

  it("hold a slot until the answer is made", async () => {
    const clock = new FakeClock();
    const server = await start({
      clock,
      limits: { maxConcurrency: 1 },
      latency: { ttftMs: 1000 },
    });
    const first = post(server, prompt("1"));
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(1));
    const second = await post(server, prompt("2"));
    await clock.advance(1000);
    expect([(await first).status, second.status]).toEqual([200, 429]);
  });
});

describe("money", () => {
  it("runs out", async () => {
    const server = await start({ balanceUsd: 0.000_01 });
    const statuses: number[] = [];
    for (let call = 0; call < 6; call += 1) {
      statuses.push((await post(server, prompt(`Prompt number ${call}`))).status);
    }
    expect(statuses).toEqual([200, 200, 200, 403, 403, 403]);
  });

  it("is shown at the billing endpoints", async () => {
    const server = await start({ balanceUsd: 5 });
    await post(server, prompt("Hi"));
    const get = async (path: string): Promise<unknown> =>
      (
        await fetch(`${server.url}/dashboard/billing/${path}`, {
          headers: { Authorization: "Bearer sk-demo" },
        })
      ).json();
    expect(await get("subscription")).toMatchObject({
      hard_limit_usd: expect.closeTo(5, 9) as number,
    });
    expect(await get("usage")).toMatchObject({
      total_usage: expect.closeTo(100 * (0.15e-6 + 2 * 0.6e-6), 9) as number,
    });
  });

  it("is what the price list says, which asks for no key", async () => {
    const server = await start({ models: ["house-model"] });
    const list = await fetch(new URL("/api/pricing", server.url));
    expect([...readPriceList(await list.text())]).toEqual([
      ["house-model", { input: 0.15, output: 0.6 }],
    ]);
  });

  it("is taken for an answer whose client has left", async () => {
    const clock = new FakeClock();
    const server = await start({ clock, latency: { ttftMs: 1000 } });
    const call = postAndForget(server, "Hi");
    await vi.waitFor(() => expect(server.stats().inFlight).toBe(1));
    call.destroy();
    // Two round trips: by then the server has read the end of the other connection.
    await control(server, "stats");
    await control(server, "stats");
    await clock.advance(1000);
    expect(server.ledger()).toMatchObject([{ billed: true, gone: true }]);
  });

  it("is taken for an answer that never comes", async () => {
    const server = await start();
    const call = postAndForget(server, "[[fault:timeout]]");
    await vi.waitFor(() => expect(server.ledger()).toMatchObject([{ billed: true, gone: false }]));
    call.destroy();
    await vi.waitFor(() => expect(server.ledger()).toMatchObject([{ billed: true, gone: true }]));
  });
});

describe("chaos", () => {
  const chaos = { "500": 0.3, "429": 0.3 };

  async function statuses(seed: number): Promise<string> {
    const server = await start({ chaos, seed });
    const seen: number[] = [];
    for (let call = 0; call < 40; call += 1) {
      seen.push((await post(server, prompt(`Prompt ${call % 10}`))).status);
    }
    return seen.join(" ");
  }

  it("repeats with its seed", async () => {
    expect(await statuses(7)).toBe(await statuses(7));
  });

  it("differs with another seed", async () => {
    expect(await statuses(7)).not.toBe(await statuses(8));
  });

  it("lets every row through in the end", async () => {
    const server = await start({ chaos });
    for (let row = 0; row < 20; row += 1) {
      await vi.waitFor(
        async () => expect((await post(server, prompt(`Row ${row}`))).status).toBe(200),
        { interval: 0 },
      );
    }
    expect(server.stats().byStatus["200"]).toBe(20);
  });

  it("names rows by a header where one is given", async () => {
    const server = await start({ chaos });
    await post(server, prompt("Hi"), { "X-Sandbox-Row": "row-5" });
    expect(server.ledger()).toMatchObject([{ row: "row-5" }]);
  });
});

describe("the control paths", () => {
  const script = (server: Sandbox, rules: unknown): Promise<unknown> =>
    control(server, "script", { method: "POST", body: JSON.stringify(rules) });

  it("script the next answers", async () => {
    const server = await start();
    await script(server, [
      { match: "apple", status: 429, headers: { "Retry-After": "7" }, body: { error: "slow" } },
    ]);
    const pear = await post(server, prompt("pear"));
    const apple = await post(server, prompt("apple"));
    expect([
      pear.status,
      apple.status,
      apple.headers.get("retry-after"),
      await apple.text(),
    ]).toEqual([200, 429, "7", '{"error":"slow"}']);
  });

  const limit = (server: Sandbox, change: unknown): Promise<unknown> =>
    control(server, "limits", { method: "POST", body: JSON.stringify(change) });

  it("change the limits of one key", async () => {
    const server = await start({ keys: { "sk-other": {} } });
    await limit(server, { key: "sk-other", rpm: 0 });
    const other = await post(server, prompt("Hi"), { Authorization: "Bearer sk-other" });
    expect([other.status, (await post(server, prompt("Hi"))).status]).toEqual([429, 200]);
  });

  it("change the limits of all keys", async () => {
    const server = await start();
    await limit(server, { rpm: 0 });
    const held = await post(server, prompt("Hi"));
    await limit(server, {});
    expect([held.status, (await post(server, prompt("Hi"))).status]).toEqual([429, 200]);
  });

  it.each([
    [{ rmp: 60 }, 'Limits: ✖ Unrecognized key: "rmp"'],
    [{ key: "sk-nobody", rpm: 60 }, "The sandbox has no key `sk-nobody`."],
  ])("refuse %j as limits", async (change, message) => {
    expect(await limit(await start(), change)).toEqual({ success: false, message });
  });

  it("show what a key did and when", async () => {
    const server = await start({ clock: new FakeClock(), limits: { maxConcurrency: 0 } });
    await post(server, prompt("Hi"));
    const headers = { Authorization: "Bearer sk-demo" };
    expect(await control(server, "timeline", { headers })).toMatchObject([
      { admitted: 0, refused: { concurrency: 1 } },
    ]);
  });

  it("refuse a script with a mistake", async () => {
    expect(await script(await start(), [{ fault: "boom" }])).toEqual({
      success: false,
      message: "Script: `boom` is no fault.",
    });
  });

  it("show counters", async () => {
    const server = await start({ ledger: false });
    await post(server, prompt("Hi"));
    await post(server, prompt("Hi [[fault:401]]"));
    expect(await control(server, "stats")).toMatchObject({
      requests: 2,
      byStatus: { "200": 1, "401": 1 },
      billedTokens: 3,
      inFlight: 0,
    });
    expect(await control(server, "ledger")).toEqual([]);
  });

  it("never show a key", async () => {
    const server = await start({ keys: { "sk-very-secret-indeed": {} } });
    await post(server, prompt("Hi"), { Authorization: "Bearer sk-very-secret-indeed" });
    const shown = JSON.stringify(await control(server, "ledger"));
    expect(shown).toContain('"key":"sk-ver***"');
    expect(shown).not.toContain("secret");
  });

  it("forget", async () => {
    const server = await start({ balanceUsd: 0.000_001 });
    await post(server, prompt("Hi"));
    await control(server, "reset", { method: "POST" });
    expect([server.ledger(), (await post(server, prompt("Hi"))).status]).toEqual([[], 200]);
  });
});

describe("nightshift sandbox", () => {
  it("says where it listens and ends with its signal", async () => {
    const stop = new AbortController();
    const said = { stdout: "", stderr: "" };
    const ended = sandbox(
      { port: 0, json: true, chaos: "500=1" },
      {
        stdout: { write: (text) => (said.stdout += text) },
        stderr: { write: (text) => (said.stderr += text) },
        signal: stop.signal,
      },
    );
    await vi.waitFor(() => expect(said.stderr).toContain("NIGHTSHIFT_API_KEY=sk-demo"));
    const event = JSON.parse(said.stdout) as { event: string; url: string; port: number };
    expect(event).toEqual({
      event: "listening",
      url: `http://127.0.0.1:${event.port}/v1`,
      port: event.port,
    });
    expect(said.stderr).toContain(`NIGHTSHIFT_BASE_URL=${event.url}`);
    stop.abort();
    await ended;
    await expect(fetch(`${event.url}/models`)).rejects.toThrow();
  });

  it("says which port is taken", async () => {
    const { port } = await start();
    await expect(startSandbox({ port })).rejects.toThrow(`Port ${port} is in use`);
  });
});
