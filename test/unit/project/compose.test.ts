import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";

interface Compose {
  readonly services: Readonly<
    Record<string, { command: string[]; volumes: string[]; healthcheck: { test: string[] } }>
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}

describe("docker-compose.yml", () => {
  const compose = parse(readFileSync("docker-compose.yml", "utf8")) as Compose;
  const redis = compose.services["redis"];

  it("runs a Redis that writes everything down and forgets nothing", () => {
    expect(redis?.command.join(" ")).toContain("--appendonly yes");
    expect(redis?.command.join(" ")).toContain("--maxmemory-policy noeviction");
  });

  it("keeps its data on a named volume", () => {
    expect(redis?.volumes).toEqual(["redis-data:/data"]);
    expect(Object.keys(compose.volumes)).toEqual(["redis-data"]);
  });

  it("runs a scheduler where that is asked for, and gives it time to drain", () => {
    expect(compose.services["scheduler"]).toMatchObject({
      profiles: ["scheduler"],
      command: ["node", "dist/cli.js", "scheduler", "jobs"],
      stop_grace_period: "10m",
    });
  });

  it("tells whether it is well", () => {
    expect(redis?.healthcheck.test).toEqual(["CMD", "redis-cli", "ping"]);
  });
});
