import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll } from "vitest";

import { type Sandbox, type SandboxOptions, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { type Exit, Running } from "./process.ts";
import { type QueueKind, startQueue } from "./queues.ts";
import type { RedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

export const CLI = fileURLToPath(new URL("../../../dist/cli.js", import.meta.url));

/** Variables for the command; undefined takes one away. */
type Variables = Readonly<Record<string, string | undefined>>;

const open = new Set<World>();
// A test that ran out of time never closes its own.
afterAll(async () => {
  for (const world of open) await world[Symbol.asyncDispose]();
});

/** A user's directory, a gateway, perhaps a Redis, and the built command line between them. */
export class World {
  readonly directory: string;
  readonly gateway: Sandbox;
  readonly redis: RedisServer | null;
  readonly #started: Running[] = [];

  private constructor(directory: string, gateway: Sandbox, redis: RedisServer | null) {
    this.directory = directory;
    this.gateway = gateway;
    this.redis = redis;
  }

  static async open(gateway: SandboxOptions = {}, queue: QueueKind = "embedded"): Promise<World> {
    const directory = await mkdtemp(join(tmpdir(), "nightshift-e2e-"));
    await mkdir(join(directory, "tmp"));
    const world = new World(directory, await startSandbox(gateway), await startQueue(queue));
    open.add(world);
    return world;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async write(name: string, content: string | Buffer): Promise<void> {
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), content);
  }

  /** Runs a command line to its end. */
  async nightshift(args: readonly string[], variables: Variables = {}): Promise<Exit> {
    return this.start(args, variables).exit;
  }

  /** Starts a command line; it is killed with the world. */
  start(args: readonly string[], variables: Variables = {}): Running {
    const env = this.variables(variables);
    const running = new Running(process.execPath, [CLI, ...args], { cwd: this.directory, env });
    this.#started.push(running);
    return running;
  }

  /** What a command line finds in its environment. */
  variables(variables: Variables = {}): Record<string, string> {
    const all: Variables = {
      PATH: process.env["PATH"],
      // A killed process leaves its temporary files: here they go away with the world.
      TMPDIR: this.path("tmp"),
      // What a run learned of an account is for this world's next run, and for nobody else's.
      XDG_STATE_HOME: this.path("state"),
      NIGHTSHIFT_BASE_URL: this.gateway.url,
      NIGHTSHIFT_API_KEY: "sk-demo",
      NIGHTSHIFT_REDIS_URL: this.redis?.address,
      ...variables,
    };
    return Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  }

  /** The run directories that nobody named, as paths. */
  async runs(): Promise<string[]> {
    const names = await readdir(this.path("runs")).catch(() => []);
    return names.map((name) => this.path(join("runs", name)));
  }

  /** Waits until the gateway has ended what killed clients had asked for: it bills that too. */
  async gatewayIsQuiet(): Promise<void> {
    await until("the gateway is quiet", () => this.gateway.stats().inFlight === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    open.delete(this);
    for (const running of this.#started) await running[Symbol.asyncDispose]();
    await this.gateway.close();
    await this.redis?.[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
