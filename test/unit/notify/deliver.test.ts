import { createHmac } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, describe, expect, it } from "vitest";

import { deliverDue } from "../../../src/notify/deliver.ts";
import { putLetter, readLetters } from "../../../src/notify/outbox.ts";

const NOW = Date.UTC(2026, 0, 2, 2);
const NOTICE = { event: "run.finished", job: "nightly", cost_usd: 0.5 };
const SECRET = "s3cret";

interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A receiver that answers as it is told, and an outbox with one letter for it. */
async function aReceiver(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      answer(response, request);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hidden`;
  const directory = await mkdtemp(join(tmpdir(), "nightshift-outbox-"));
  const outbox = join(directory, "outbox");
  closers.push(
    () => rm(directory, { recursive: true, force: true }),
    () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  );
  await putLetter(outbox, url, NOTICE, NOW);
  const deliver = (now = NOW, secret: string | null = SECRET) =>
    deliverDue({
      outbox,
      secret,
      proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
      version: "1.2.3",
      now: () => now,
    });
  return { url, outbox, received, deliver };
}

const problems = (deliveries: Awaited<ReturnType<typeof deliverDue>>): (string | null)[] =>
  deliveries.map(({ problem }) => problem);

describe("a notice", () => {
  it("is posted as JSON, signed over the very bytes, with the time of sending among them", async () => {
    const { received, deliver, outbox } = await aReceiver((response) => response.end("ok"));
    expect(problems(await deliver(NOW + 5_000))).toEqual([null]);
    const [{ headers, body } = { headers: {}, body: "" }] = received;
    const expected = createHmac("sha256", SECRET).update(body).digest("hex");
    expect(headers["x-nightshift-signature"]).toBe(`sha256=${expected}`);
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["x-nightshift-event"]).toBe("run.finished");
    expect(JSON.parse(body)).toEqual({
      ...NOTICE,
      id: headers["x-nightshift-id"],
      created_at: "2026-01-02T02:00:00.000Z",
      sent_at: "2026-01-02T02:00:05.000Z",
    });
    expect(await readLetters(outbox)).toEqual([]);
    expect(await deliver()).toEqual([]);
    expect(received).toHaveLength(1);
  });

  it("is not signed without a secret", async () => {
    const { received, deliver } = await aReceiver((response) => response.end());
    await deliver(NOW, null);
    expect(received[0]?.headers).not.toHaveProperty("x-nightshift-signature");
  });

  it("waits where nobody else can read it: its address may hold a secret", async () => {
    const { outbox } = await aReceiver((response) => response.end());
    const [letter] = await readLetters(outbox);
    expect((await stat(join(outbox, `${letter?.id}.json`))).mode & 0o077).toBe(0);
    expect((await stat(outbox)).mode & 0o077).toBe(0);
  });

  it("is acknowledged by a 2xx, whatever its body is and however long it goes on", async () => {
    const { deliver, outbox } = await aReceiver((response) => {
      response.writeHead(202);
      response.write("<html>garbage");
    });
    expect(problems(await deliver())).toEqual([null]);
    expect(await readLetters(outbox)).toEqual([]);
  });
});

describe("a receiver that does not acknowledge", () => {
  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["answers 500", (response) => response.writeHead(500).end(), /answered 500/],
    [
      "sends us elsewhere",
      (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      /answered 302/,
    ],
    ["closes the connection", (response) => response.destroy(), /.+/],
    ["talks nonsense", (response) => void response.socket?.end("nonsense\r\n\r\n"), /.+/],
  ])("that %s is tried again later, with the same id", async (_name, answer, why) => {
    let isUp = false;
    const { received, deliver, outbox } = await aReceiver((response) => {
      if (isUp) response.end();
      else answer(response);
    });
    const [problem] = problems(await deliver());
    expect(problem).toMatch(why);
    expect(problem).not.toContain("hidden");
    expect(await deliver(NOW + 4_000)).toEqual([]);
    isUp = true;
    expect(problems(await deliver(NOW + 5_000))).toEqual([null]);
    expect(await readLetters(outbox)).toEqual([]);
    expect(new Set(received.map(({ headers }) => headers["x-nightshift-id"])).size).toBe(1);
  });

  it("is asked at longer intervals, five minutes at most, and given up after a week", async () => {
    const { deliver, outbox } = await aReceiver((response) => response.writeHead(503).end());
    const pauses: number[] = [];
    let now = NOW;
    for (let time = 0; time < 9; time += 1) {
      await deliver(now);
      const [letter] = await readLetters(outbox);
      const next = Date.parse(letter?.not_before ?? "");
      pauses.push((next - now) / 1_000);
      now = next;
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    const [last] = await deliver(NOW + 8 * 24 * 3_600_000);
    expect(last).toMatchObject({ isGivenUp: true });
    expect(await readLetters(outbox)).toEqual([]);
  });

  it("holds no other up", async () => {
    let release = (): void => {};
    const slow = await aReceiver((response) => (release = () => response.end()));
    const { url, received } = await aReceiver((response) => response.end());
    await putLetter(slow.outbox, url, NOTICE, NOW);
    const delivering = slow.deliver();
    await expect.poll(() => [slow.received.length, received.length]).toEqual([1, 1]);
    release();
    expect(problems(await delivering)).toEqual([null, null]);
  });
});
