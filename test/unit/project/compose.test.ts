import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly network_mode?: string;
  readonly read_only?: boolean;
  readonly container_name?: string;
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { test: readonly string[]; disable?: boolean };
}

const text = readFileSync("docker-compose.yml", "utf8");
const compose = parse(text, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
}

const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;

describe("docker-compose.yml", () => {
  it("starts a Redis and workers, and the rest only when it is asked for", () => {
    const atOnce = Object.entries(compose.services)
      .filter(([, { profiles }]) => profiles === undefined)
      .map(([name]) => name);
    expect(atOnce).toEqual(["redis", "worker"]);
  });

  it("keeps the data of Redis on a named volume", () => {
    expect(service("redis").volumes).toEqual(["redis-data:/data"]);
    expect(Object.keys(compose.volumes)).toEqual(["redis-data"]);
  });

  it("runs a scheduler where that is asked for, and gives it time to drain", () => {
    expect(service("scheduler")).toMatchObject({
      profiles: ["scheduler"],
      command: ["scheduler", "jobs"],
      stop_grace_period: "10m",
    });
  });

  it("shows Redis to this machine alone, and asks it whether it is well", () => {
    expect(service("redis").ports).toEqual(["127.0.0.1:6379:6379"]);
    expect(service("redis").healthcheck?.test).toEqual([
      "CMD-SHELL",
      "redis-cli ping | grep -q PONG",
    ]);
  });

  it("holds no secret, and does not start without a password", () => {
    const secrets = [
      ...text.matchAll(/^ *(?:REDIS\w*|NIGHTSHIFT_API_KEY|NIGHTSHIFT_REDIS_URL): (.*)$/gm),
    ]
      .map(([, value = ""]) => value)
      .filter((value) => value !== "sk-demo");
    expect(secrets).toHaveLength(4);
    for (const value of secrets)
      expect(value).toMatch(/\$\{(REDIS_PASSWORD:\?|NIGHTSHIFT_API_KEY:-)/);
  });

  it.skipIf(!hasRedis)(
    "starts a Redis that wants the password, writes everything down and forgets nothing",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "nightshift-compose-"));
      const socket = join(directory, "redis.sock");
      const [shell = "", flag = "", script = ""] = service("redis").command;
      // As compose does it, but on a socket.
      const line = script
        .replaceAll("$$", "$")
        .replace(/ -$/, ` --port 0 --unixsocket ${socket} -`);
      const server = spawn(shell, [flag, line], {
        cwd: directory,
        detached: true,
        env: { PATH: process.env["PATH"], REDIS_PASSWORD: "p4ss" },
        stdio: ["ignore", "pipe", "ignore"],
      });
      try {
        for await (const chunk of server.stdout) {
          if (String(chunk).includes("eady to accept connections")) break;
        }
        const stranger = new Redis(socket, { retryStrategy: () => null, lazyConnect: true });
        stranger.on("error", () => {});
        await expect(stranger.connect()).rejects.toThrow();
        const redis = new Redis(socket, { password: "p4ss" });
        const settings = await Promise.all(
          ["appendonly", "appendfsync", "maxmemory-policy"].map((name) =>
            redis.config("GET", name),
          ),
        );
        expect(JSON.stringify(settings)).toBe(
          '[["appendonly","yes"],["appendfsync","everysec"],["maxmemory-policy","noeviction"]]',
        );
        // Its end is the answer.
        redis.shutdown("NOSAVE").catch(() => {});
        await once(server, "exit");
        redis.disconnect();
      } finally {
        // The shell and what it started; where the test went well, neither is left.
        if (server.exitCode === null) process.kill(-(server.pid ?? NaN), "SIGKILL");
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );

  it("can have as many workers as one likes: none has a name, a port of this machine or files", () => {
    const { ports, container_name: name, volumes, command } = service("worker");
    expect([ports, name, volumes]).toEqual([undefined, undefined, undefined]);
    expect(command).toEqual(["worker", "--metrics-port", "0.0.0.0:9464"]);
  });

  it.each(["worker", "runner", "scheduler"])("lets the %s wait until Redis is well", (name) => {
    expect(service(name).depends_on).toEqual({ redis: { condition: "service_healthy" } });
    expect(service(name).environment?.["NIGHTSHIFT_REDIS_URL"]).toContain("@redis:6379");
  });

  it.each(["runner", "rehearsal", "scheduler"])("gives the %s the jobs and the runs", (name) => {
    expect(service(name).volumes).toEqual(["./jobs:/app/jobs", "./runs:/app/runs"]);
    expect(existsSync("jobs")).toBe(true);
  });

  it("rehearses inside the network of the sandbox, which listens on 127.0.0.1 alone", () => {
    const { network_mode: network, environment, depends_on: needs } = service("rehearsal");
    expect(network).toBe("service:sandbox");
    expect(environment?.["NIGHTSHIFT_BASE_URL"]).toBe("http://127.0.0.1:8787/v1");
    expect(environment).not.toHaveProperty("NIGHTSHIFT_REDIS_URL");
    expect(needs).toEqual({ sandbox: { condition: "service_healthy" } });
  });

  it("writes nowhere but where it should", () => {
    const ours = Object.values(compose.services).filter(({ image }) => image === "nightshift");
    expect(ours).toHaveLength(5);
    for (const { read_only: readOnly } of ours) expect(readOnly).toBe(true);
  });
});
