import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, dirname } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { type Connection, connect, type TlsFiles } from "../../src/queue/connection.ts";
import { type Certificate, hasOpenssl, TestCa } from "./certificates.ts";
import { startRedis, type TestServer } from "./servers.ts";

/** A redis-server that was built without TLS does not know the option. */
function speaksTls(): boolean {
  const { stdout } = spawnSync("redis-server", ["--port", "0", "--tls-port", "1"], {
    encoding: "utf8",
  });
  return stdout?.includes("No tls-cert-file configured") ?? false;
}

const missing = !hasOpenssl ? "openssl" : !speaksTls() ? "a redis-server that speaks TLS" : null;
const title = "a Redis behind TLS" + (missing === null ? "" : ` (skipped: there is no ${missing})`);

describe.skipIf(missing !== null)(title, () => {
  let ca: TestCa;
  let client: Certificate;
  let named: Listening;
  let strange: Listening;
  let strict: Listening;
  let connection: Connection | undefined;

  beforeAll(async () => {
    ca = new TestCa();
    client = ca.issue("client", "DNS:client");
    const server = ca.issue("server", "DNS:localhost,IP:127.0.0.1");
    [named, strange, strict] = await Promise.all([
      listen(server, "no"),
      listen(ca.issue("strange", "DNS:elsewhere.example"), "no"),
      listen(server, "yes"),
    ]);
  });
  afterEach(() => connection?.disconnect());
  afterAll(async () => {
    await Promise.all([named, strange, strict].map(({ server }) => server.close()));
    ca[Symbol.dispose]();
  });

  interface Listening {
    readonly server: TestServer;
    readonly port: number;
  }

  async function listen(own: Certificate, clients: "yes" | "no"): Promise<Listening> {
    const port = await freePort();
    const options = [
      `--tls-port ${port} --tls-ca-cert-file ${ca.cert} --tls-auth-clients ${clients}`,
      `--tls-cert-file ${own.cert} --tls-key-file ${own.key}`,
    ].join(" ");
    return { server: await startRedis(...options.split(" ")), port };
  }

  async function connected(port: number, files: Partial<TlsFiles>): Promise<string> {
    const all = { ca: null, cert: null, key: null, ...files };
    connection = await connect(`rediss://127.0.0.1:${port}`, undefined, all);
    return connection.ping();
  }

  test("answers when its CA is named", async () => {
    expect(await connected(named.port, { ca: ca.cert })).toBe("PONG");
  });

  test("answers on the queue's further connections too", async () => {
    await connected(named.port, { ca: ca.cert });
    const second = connection?.duplicate();
    expect(await second?.ping()).toBe("PONG");
    second?.disconnect();
  });

  test("is refused without its CA, and the message says where to name it", async () => {
    await expect(connected(named.port, {})).rejects.toThrow(
      /^Redis at rediss:\/\/127\.0\.0\.1:\d+ cannot be used: .*NIGHTSHIFT_REDIS_CA\.$/,
    );
  });

  test("is refused under a name that its certificate does not list", async () => {
    await expect(connected(strange.port, { ca: ca.cert })).rejects.toThrow(
      /altnames.*write the address with a name \(or IP\) that the certificate lists/s,
    );
  });

  test("that wants a client's certificate gets it", async () => {
    expect(await connected(strict.port, { ca: ca.cert, ...client })).toBe("PONG");
  });

  test("that wants a client's certificate and gets none is explained", async () => {
    await expect(connected(strict.port, { ca: ca.cert })).rejects.toThrow("NIGHTSHIFT_REDIS_CERT");
  });

  test("asked without TLS is explained", async () => {
    await expect(connect(`redis://127.0.0.1:${named.port}`)).rejects.toThrow(
      "write rediss:// instead of redis://",
    );
  });

  test("needs certificate and key together", async () => {
    await expect(connected(strict.port, { cert: client.cert })).rejects.toThrow("belong together");
  });

  test("needs its files to be there, and in PEM form", async () => {
    await expect(connected(named.port, { ca: "/nowhere/ca.pem" })).rejects.toThrow(
      /^NIGHTSHIFT_REDIS_CA names a file that cannot be read: ENOENT/,
    );
    const der = join(dirname(ca.cert), "ca.der");
    writeFileSync(der, Buffer.from([0x30, 0x82]));
    await expect(connected(named.port, { ca: der })).rejects.toThrow(/is not in PEM form/);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
