import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";

import { afterEach, describe, expect, test } from "vitest";

import { UsageError } from "../../../src/errors.ts";
import {
  createGatewayClient,
  type GatewayClient,
  type GatewayClientOptions,
} from "../../../src/gateway/client.ts";
import type { Reply } from "../../../src/gateway/reply.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

const BODY = '{"model":"m","messages":[{"role":"user","content":"好"}]}';
const CALL = { stream: false, timeoutMs: 60_000 };
const STREAM = { stream: true, timeoutMs: 60_000 };
const NO_PROXY = { httpsProxy: null, httpProxy: null, noProxy: null };
const WHOLE = 'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n';
const HALF = 'data: {"choices":[{"index":0,"delta":{"content":"h"},"finish_reason":null}]}\n\n';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A gateway that does what the test says, on a port of its own. */
async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handle);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listen(server);
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(options: Partial<GatewayClientOptions> & { baseUrl: string }): GatewayClient {
  const client = createGatewayClient({
    apiKey: "sk-test-1234",
    connections: 4,
    version: "1.2.3",
    clock: new FakeClock(),
    ...options,
  });
  closers.push(() => client.destroy());
  return client;
}

function contentOf(reply: Reply): unknown {
  if (reply.kind === "unanswered") return reply;
  const { choices } = JSON.parse(reply.body) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** Resolves once the condition holds; what it waits for is real input, which takes no fixed time. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

describe("a call", () => {
  test("sends the body as it is, to the path below the base URL, with key and name", async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      void textOf(request).then((body) => {
        const { authorization, "content-type": type, "user-agent": agent } = request.headers;
        seen.push([request.method, request.url, authorization, type, agent, body]);
        response.end("{}");
      });
    });
    await connect({ baseUrl: `${url}/v1` }).chat(BODY, CALL);
    expect(seen).toEqual([
      [
        "POST",
        "/v1/chat/completions",
        "Bearer sk-test-1234",
        "application/json",
        "nightshift/1.2.3",
        BODY,
      ],
    ]);
  });

  test.each(["/v1", "/v1/", "/v1//"])(
    "goes to the same path with the base path %s",
    async (path) => {
      let requested: string | undefined;
      const url = await serve((request, response) => {
        requested = request.url;
        response.end("{}");
      });
      await connect({ baseUrl: url + path }).get("/models", CALL);
      expect(requested).toBe("/v1/models");
    },
  );

  test("carries no Authorization where there is no key", async () => {
    let authorization: string | undefined = "unseen";
    const url = await serve((request, response) => {
      authorization = request.headers.authorization;
      response.end("{}");
    });
    await connect({ baseUrl: url, apiKey: null }).chat(BODY, CALL);
    expect(authorization).toBeUndefined();
  });

  test("brings status, headers and body back", async () => {
    const url = await serve((_, response) => {
      response.writeHead(429, { "Retry-After": "7", "X-Twice": ["a", "b"] });
      response.end("等一下");
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({
      kind: "answered",
      status: 429,
      headers: { "retry-after": "7", "x-twice": "a, b" },
      body: "等一下",
    });
  });

  test("follows no redirect", async () => {
    const url = await serve((_, response) => {
      response.writeHead(307, { location: "/elsewhere" });
      response.end();
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({ kind: "answered", status: 307, body: "" });
  });

  test("joins characters that arrive in two pieces", async () => {
    const bytes = Buffer.from('"好"');
    const url = await serve((_, response) => {
      response.write(bytes.subarray(0, 2), () => response.end(bytes.subarray(2)));
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({ body: '"好"' });
  });

  test("reuses its connection", async () => {
    const sockets = new Set<Socket>();
    const url = await serve((request, response) => {
      sockets.add(request.socket);
      response.end("{}");
    });
    const client = connect({ baseUrl: url, connections: 1 });
    for (let call = 0; call < 3; call += 1) await client.chat(BODY, CALL);
    expect(sockets.size).toBe(1);
  });

  test("masks a key that the gateway quotes", async () => {
    const url = await serve((_, response) => {
      response.writeHead(401);
      response.end("wrong key 0123456789abcdef");
    });
    const reply = await connect({ baseUrl: url, apiKey: "0123456789abcdef" }).chat(BODY, CALL);
    expect(reply).toMatchObject({ body: "wrong key ***" });
  });

  test("leaves no timer behind", async () => {
    const clock = new FakeClock();
    const url = await serve((_, response) => response.end("{}"));
    await connect({ baseUrl: url, clock }).chat(BODY, CALL);
    expect(clock.pending).toBe(0);
  });
});

describe("a stream", () => {
  test("is asked for inside the body", async () => {
    let sent: unknown;
    const url = await serve((request, response) => {
      void textOf(request).then((body) => {
        sent = JSON.parse(body);
        response.end(WHOLE);
      });
    });
    await connect({ baseUrl: url }).chat(BODY, STREAM);
    expect(sent).toEqual({
      ...(JSON.parse(BODY) as object),
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test("comes back as one completion", async () => {
    const url = await serve((_, response) => response.end(WHOLE));
    const reply = await connect({ baseUrl: url }).chat(BODY, STREAM);
    expect(contentOf(reply)).toBe("hi");
  });

  test("leaves the body of an error alone, whatever its type says", async () => {
    const url = await serve((_, response) => {
      response.writeHead(400, { "content-type": "text/event-stream" });
      response.end('{"error":{"message":"no"}}');
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, STREAM);
    expect(reply).toMatchObject({ status: 400, body: '{"error":{"message":"no"}}' });
  });

  test("that is reset half way is cut (F7)", async () => {
    const url = await serve((_, response) => {
      response.write(HALF, () => response.socket?.resetAndDestroy());
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, STREAM);
    expect(reply).toMatchObject({ kind: "unanswered", cause: "cut" });
  });

  test("that is reset after its finish_reason is an answer", async () => {
    let socket: Socket | null = null;
    const url = await serve((_, response) => {
      response.write(WHOLE, () => {
        socket = response.socket;
      });
    });
    const call = connect({ baseUrl: url }).chat(BODY, STREAM);
    await until(() => socket !== null);
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    (socket as Socket | null)?.destroy();
    expect(contentOf(await call)).toBe("hi");
  });
});

describe("time", () => {
  /** A gateway that has been asked and says nothing; `say` makes it speak. */
  async function silent(): Promise<{ url: string; asked: () => boolean; say(text: string): void }> {
    let response: ServerResponse | undefined;
    const url = await serve((_, given) => {
      response = given;
    });
    return {
      url,
      asked: () => response !== undefined,
      say: (text) => response?.write(text),
    };
  }

  /** Long enough for what was written on this machine to have been read. */
  async function delivered(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  }

  test("is up when no answer came", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const call = connect({ baseUrl: gateway.url, clock }).chat(BODY, CALL);
    await until(gateway.asked);
    await clock.advance(60_000);
    expect(await call).toMatchObject({ kind: "unanswered", cause: "timeout", ms: 60_000 });
  });

  test("is up when the answer is not whole, however much of it came", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const call = connect({ baseUrl: gateway.url, clock }).chat(BODY, CALL);
    await until(gateway.asked);
    await clock.advance(59_000);
    gateway.say('{"id":');
    await delivered();
    await clock.advance(1000);
    expect(await call).toMatchObject({ kind: "unanswered", cause: "timeout" });
  });

  test("starts again with each chunk of a stream", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const call = connect({ baseUrl: gateway.url, clock }).chat(BODY, STREAM);
    await until(gateway.asked);
    for (let chunk = 0; chunk < 3; chunk += 1) {
      await clock.advance(59_000);
      gateway.say(HALF);
      await delivered();
    }
    await clock.advance(60_000);
    expect(await call).toMatchObject({ cause: "timeout", ms: 3 * 59_000 + 60_000 });
  });

  test("does not start again with a ping", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const call = connect({ baseUrl: gateway.url, clock }).chat(BODY, STREAM);
    await until(gateway.asked);
    await clock.advance(59_000);
    gateway.say(": PING\n\n");
    await delivered();
    await clock.advance(1000);
    expect(await call).toMatchObject({ cause: "timeout", ms: 60_000 });
  });

  test("is up after ten times the silence, whatever still comes", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const call = connect({ baseUrl: gateway.url, clock }).chat(BODY, STREAM);
    await until(gateway.asked);
    for (let chunk = 0; chunk < 12; chunk += 1) {
      await clock.advance(50_000);
      gateway.say(HALF);
      await delivered();
    }
    expect(await call).toMatchObject({ cause: "timeout", ms: 600_000 });
  });

  test("that was spent waiting for a connection is no timeout of the gateway", async () => {
    const clock = new FakeClock();
    const gateway = await silent();
    const client = connect({ baseUrl: gateway.url, clock, connections: 1 });
    const first = client.chat(BODY, { ...CALL, timeoutMs: 120_000 });
    await until(gateway.asked);
    const second = client.chat(BODY, CALL);
    await clock.advance(60_000);
    expect(await second).toMatchObject({ cause: "connect-timeout" });
    await clock.advance(60_000);
    await first;
  });
});

describe("a caller that gives up", () => {
  test("gets its own reason", async () => {
    let asked = false;
    const url = await serve(() => {
      asked = true;
    });
    const controller = new AbortController();
    const call = connect({ baseUrl: url }).chat(BODY, { ...CALL, signal: controller.signal });
    await until(() => asked);
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });

  test("before the call sends nothing", async () => {
    let asked = false;
    const url = await serve((_, response) => {
      asked = true;
      response.end("{}");
    });
    const client = connect({ baseUrl: url });
    const call = client.chat(BODY, { ...CALL, signal: AbortSignal.abort(new Error("enough")) });
    await expect(call).rejects.toThrow("enough");
    await client.close();
    expect(asked).toBe(false);
  });

  test("closes the connection of its call", async () => {
    let socket: Socket | undefined;
    const url = await serve((request) => {
      ({ socket } = request);
    });
    const controller = new AbortController();
    const call = connect({ baseUrl: url }).chat(BODY, { ...CALL, signal: controller.signal });
    await until(() => socket !== undefined);
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await until(() => socket?.destroyed === true);
    expect(socket?.destroyed).toBe(true);
  });
});

describe("a connection that fails", () => {
  test("is refused where nobody listens", async () => {
    const server = createTcpServer();
    const url = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({
      cause: "refused",
      message: `connect ECONNREFUSED ${url.slice(7)}`,
    });
  });

  test("has no TLS where the gateway speaks plain HTTP", async () => {
    const url = await serve((_, response) => response.end("{}"));
    const reply = await connect({ baseUrl: url.replace("http:", "https:") }).chat(BODY, CALL);
    expect(reply).toMatchObject({ cause: "tls" });
  });

  test("is reset before the first byte", async () => {
    const url = await serve((request) => request.socket.resetAndDestroy());
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({ cause: "reset" });
  });

  test("is reset where an idle one had gone stale", async () => {
    let calls = 0;
    const url = await serve((request, response) => {
      calls += 1;
      if (calls === 1) response.end("{}");
      else request.socket.destroy();
    });
    const client = connect({ baseUrl: url });
    await client.chat(BODY, CALL);
    expect(await client.chat(BODY, CALL)).toMatchObject({ cause: "reset" });
  });

  test("cuts an answer off", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"id":', () => response.socket?.destroy());
    });
    const reply = await connect({ baseUrl: url }).chat(BODY, CALL);
    expect(reply).toMatchObject({ cause: "cut" });
  });

  test("does not spoil the next call", async () => {
    let calls = 0;
    const url = await serve((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.resetAndDestroy();
      else response.end("{}");
    });
    const client = connect({ baseUrl: url, connections: 1 });
    await client.chat(BODY, CALL);
    expect(await client.chat(BODY, CALL)).toMatchObject({ kind: "answered", body: "{}" });
  });

  test("is what a protocol that is not HTTP comes to", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.write("SSH-2.0-OpenSSH_9.6\r\n");
    });
    closers.push(() => server.close());
    const reply = await connect({ baseUrl: await listen(server) }).chat(BODY, CALL);
    expect(reply).toMatchObject({ cause: "cut" });
  });
});

test.each([false, true])("an answer beyond the limit is too large (stream: %s)", async (stream) => {
  const url = await serve((_, response) => response.end(WHOLE.repeat(200)));
  const client = connect({ baseUrl: url, maxAnswerBytes: 1000 });
  expect(await client.chat(BODY, { ...CALL, stream })).toMatchObject({
    kind: "unanswered",
    cause: "too-large",
  });
});

describe("a proxy", () => {
  test("gets a call to a plain HTTP gateway", async () => {
    const asked: (string | undefined)[] = [];
    const proxy = await serve((request, response) => {
      asked.push(request.url);
      response.end("{}");
    });
    const client = connect({
      baseUrl: "http://gateway.test/v1",
      proxy: { ...NO_PROXY, httpProxy: proxy },
    });
    await client.chat(BODY, CALL);
    expect(asked).toEqual(["http://gateway.test/v1/chat/completions"]);
  });

  test("is asked to open a way to an HTTPS gateway, and may refuse", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer();
    server.on("connect", (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    closers.push(() => server.close());
    const proxy = await listen(server);
    const client = connect({
      baseUrl: "https://gateway.test/v1",
      proxy: { ...NO_PROXY, httpsProxy: proxy },
    });
    expect([await client.chat(BODY, CALL), asked]).toMatchObject([
      { kind: "unanswered", cause: "refused" },
      ["gateway.test:443"],
    ]);
  });

  test("is passed by for the hosts of NO_PROXY", async () => {
    const url = await serve((_, response) => response.end("{}"));
    const proxy = { ...NO_PROXY, httpProxy: "http://127.0.0.1:1", noProxy: "localhost,127.0.0.1" };
    const reply = await connect({ baseUrl: url, proxy }).chat(BODY, CALL);
    expect(reply).toMatchObject({ kind: "answered" });
  });

  test("for plain HTTP does not get calls to an HTTPS gateway", async () => {
    const url = await serve((_, response) => response.end("{}"));
    const baseUrl = url.replace("http:", "https:");
    const reply = await connect({ baseUrl, proxy: { ...NO_PROXY, httpProxy: url } }).chat(
      BODY,
      CALL,
    );
    expect(reply).toMatchObject({ cause: "tls" });
  });
});

test("a client may be closed and destroyed in any order, twice", async () => {
  const client = connect({ baseUrl: "http://127.0.0.1:1" });
  const outcomes: string[] = [];
  for (const end of ["close", "close", "destroy", "destroy", "close"] as const) {
    outcomes.push((await Promise.allSettled([client[end]()]))[0].status);
  }
  expect(new Set(outcomes)).toEqual(new Set(["fulfilled"]));
});

test("a client destroyed in mid-call replies that the connection broke", async () => {
  let asked = false;
  const url = await serve(() => {
    asked = true;
  });
  const client = connect({ baseUrl: url });
  const call = client.chat(BODY, CALL);
  await until(() => asked);
  await client.destroy();
  expect(await call).toMatchObject({ kind: "unanswered", cause: "reset" });
});

describe("a client is not made", () => {
  test.each(["1688token.ai/v1", "ftp://1688token.ai", ""])("for the base URL %j", (baseUrl) => {
    expect(() => connect({ baseUrl })).toThrow(UsageError);
  });

  test.each(["sk-a b", "sk-a\n", "ｓｋ-a", ""])("with the key %j", (apiKey) => {
    expect(() => connect({ baseUrl: "http://127.0.0.1:1", apiKey })).toThrow(UsageError);
  });
});
