import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";

import { Running } from "./process.ts";
import { until } from "./until.ts";

/** Whether this machine has a `redis-server`. */
export const hasRedisServer = spawnSync("redis-server", ["--version"]).status === 0;

/** A real Redis on a Unix socket that keeps nothing on disk. */
export class RedisServer {
  readonly #directory: string;
  #process: Running;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#process = this.#spawn();
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), "nightshift-redis-")));
    await server.#listening();
    return server;
  }

  /** What `--redis` takes. */
  get address(): string {
    return `unix://${this.#socket}`;
  }

  /** As `kill -9`, or a machine that loses power, does it. */
  async kill(): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  /** Starts it again; of what it held nothing is left. */
  async restart(): Promise<void> {
    await rm(this.#socket, { force: true });
    this.#process = this.#spawn();
    await this.#listening();
  }

  connect(): Redis {
    return new Redis(this.#socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #socket(): string {
    return join(this.#directory, "redis.sock");
  }

  #spawn(): Running {
    const args = ["--port", "0", "--unixsocket", this.#socket, "--save", "", "--appendonly", "no"];
    return new Running("redis-server", args, {
      cwd: this.#directory,
      env: { PATH: process.env["PATH"] ?? "" },
    });
  }

  async #listening(): Promise<void> {
    await until("redis-server listens", () => existsSync(this.#socket));
  }
}
