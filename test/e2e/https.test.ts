import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, type Server, type Socket } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { hasOpenssl, TestCa } from "../queue/certificates.ts";
import { mispaired, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const ITEMS = 40;

describe.skipIf(!hasOpenssl)("a gateway behind HTTPS (needs `openssl`)", () => {
  let ca: TestCa;
  let world: World;
  let tls: Server;
  let proxy: Server;
  let asked: (string | undefined)[];
  let viaTls: { NIGHTSHIFT_BASE_URL: string; NODE_EXTRA_CA_CERTS: string };

  beforeAll(async () => {
    ca = new TestCa();
    world = await World.open();
    await world.write("reviews.csv", reviewsCsv(ITEMS));
    await world.write("reviews.yaml", reviewsJob());
    const { cert, key } = ca.issue("gateway", "DNS:localhost");
    tls = await listen(createHttpsServer({ cert: readFileSync(cert), key: readFileSync(key) }));
    forward(tls, world.gateway.url);
    asked = [];
    proxy = await listen(tunnel(asked));
    viaTls = {
      NIGHTSHIFT_BASE_URL: `https://localhost:${portOf(tls)}/v1`,
      NODE_EXTRA_CA_CERTS: ca.cert,
    };
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    for (const server of [proxy, tls]) server.close();
    ca[Symbol.dispose]();
  });

  it("is asked directly", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "direct"], viaTls);
    expect([exit.code, exit.stderr]).toEqual([0, expect.stringContaining("40")]);
    await expectWhole(new RunDirectory(world.path("direct")));
    expect(asked).toEqual([]);
  });

  it("is asked through a proxy, which sees where calls go and not what they say", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "proxied"], {
      ...viaTls,
      HTTPS_PROXY: `http://127.0.0.1:${portOf(proxy)}`,
    });
    expect([exit.code, exit.stderr]).toEqual([0, expect.stringContaining("40")]);
    await expectWhole(new RunDirectory(world.path("proxied")));
    expect(new Set(asked)).toEqual(new Set([`localhost:${portOf(tls)}`]));
  });

  it("whose certificate nobody vouches for is waited for, and why is told", async () => {
    const before = world.gateway.stats().requests;
    const run = world.start(["run", "reviews.yaml", "--out", "untrusted"], {
      ...viaTls,
      NODE_EXTRA_CA_CERTS: undefined,
    });
    await until("the certificate is named", () => run.stderr.includes("certificate"));
    run.kill("SIGINT");
    expect((await run.exit).code).toBe(3);
    expect(world.gateway.stats().requests).toBe(before);
  });
});

async function expectWhole(run: RunDirectory): Promise<void> {
  const results = await run.results();
  expect([await run.ended(), mispaired(results)]).toEqual([upTo(ITEMS), []]);
}

/** Hands every request on to the plain gateway. */
function forward(server: Server, gateway: string): void {
  const { port } = new URL(gateway);
  server.on("request", (incoming: IncomingMessage, response: ServerResponse) => {
    const { url = "/", method = "GET", headers } = incoming;
    const onward = request({ port, path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(onward);
  });
}

/** A proxy that opens ways to HTTPS hosts, and notes which. */
function tunnel(asked: (string | undefined)[]): Server {
  return createHttpServer().on("connect", (incoming: IncomingMessage, client: Socket) => {
    asked.push(incoming.url);
    const { hostname, port } = new URL(`tcp://${incoming.url}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
    }
  });
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, "localhost");
  await once(server, "listening");
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
