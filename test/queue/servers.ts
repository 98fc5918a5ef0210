import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";
import { vi } from "vitest";

import { type Connection, connect } from "../../src/queue/connection.ts";
import { startEmbeddedValkey } from "../../src/queue/embedded.ts";

/** A Redis or Valkey of one test suite's own. */
export interface TestServer {
  /** As Nightshift is told it. */
  readonly address: string;
  /** For the tests themselves, which may do all that the server can. */
  readonly admin: string;
  close(): Promise<void>;
}

/** A server that a suite works on. */
export interface OpenServer {
  readonly address: string;
  readonly connection: Connection;
  /** The tests' own, which may look at and break everything. */
  readonly admin: Connection;
  readonly close: () => Promise<void>;
}

/** What a run's queue has to work on. */
export interface ServerKind {
  readonly name: string;
  readonly isMissing: boolean;
  start(): Promise<TestServer>;
}

const hasRedis = canRun("redis-server", ["--version"]);

export const SERVER_KINDS: readonly ServerKind[] = [
  { name: "the embedded Valkey", isMissing: false, start: startEmbedded },
  {
    name: `a Redis${hasRedis ? "" : " (skipped: there is no redis-server on PATH)"}`,
    isMissing: !hasRedis,
    start: () => startRedis(),
  },
  {
    name: `a Redis with the least rights${hasRedis ? "" : " (skipped: there is no redis-server on PATH)"}`,
    isMissing: !hasRedis,
    start: startGuarded,
  },
];

/** Starts a server and connects to it. */
export async function openServer(kind: ServerKind): Promise<OpenServer> {
  const server = await kind.start();
  const connection = await connect(server.address);
  const admin = await connect(server.admin);
  return {
    address: server.address,
    connection,
    admin,
    close: async () => {
      connection.disconnect();
      admin.disconnect();
      await server.close();
    },
  };
}

/** The rights as docs/redis.md tells people to give them. */
export function documentedRights(): string[] {
  const [, line] =
    /^ACL SETUSER nightshift (on [^`]+)/m.exec(readFileSync("docs/redis.md", "utf8")) ?? [];
  return (line ?? "").trim().split(/\s+/);
}

async function startEmbedded(): Promise<TestServer> {
  const valkey = await startEmbeddedValkey();
  const address = valkey.socketPath;
  return { address, admin: address, close: () => valkey.close() };
}

/** Starts a redis-server that keeps nothing and listens on a socket only. */
export async function startRedis(...options: readonly string[]): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), "nightshift-redis-"));
  const address = join(directory, "redis.sock");
  const server = spawn(
    "redis-server",
    ["--port", "0", "--unixsocket", address, "--save", "", "--dir", directory, ...options],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  for await (const line of server.stdout as AsyncIterable<Buffer>) {
    if (line.includes("eady to accept connections")) break;
  }
  return {
    address,
    admin: address,
    close: async () => {
      const exit = once(server, "exit");
      server.kill("SIGKILL");
      await exit;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A Redis on which Nightshift may do only what docs/redis.md asks for, and says what it was refused. */
async function startGuarded(): Promise<TestServer> {
  const server = await startRedis();
  const admin = new Redis(server.admin);
  await admin.call("ACL", "SETUSER", "nightshift", ...documentedRights());
  return {
    admin: server.admin,
    address: `unix://nightshift:PASSWORD@${server.admin}`,
    close: async () => {
      const refused = (await admin.acl("LOG")) as unknown[];
      admin.disconnect();
      await server.close();
      if (refused.length > 0) throw new Error(`was refused: ${JSON.stringify(refused)}`);
    },
  };
}

/** Resolves when the condition holds; a machine under load may take a while. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 20_000, interval: 5 });
}

function canRun(command: string, options: readonly string[]): boolean {
  try {
    execFileSync(command, options, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
