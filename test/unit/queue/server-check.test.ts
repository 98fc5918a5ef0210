import { describe, expect, test } from "vitest";

import { factsIn, judgeServer, type ServerFacts } from "../../../src/queue/server-check.ts";

const GOOD: ServerFacts = {
  software: "Redis",
  version: "7.4.1",
  isCluster: false,
  isReadOnly: false,
  maxMemoryBytes: 0,
  evictionPolicy: "noeviction",
  keepsOnDisk: true,
};

function judged(changes: Partial<ServerFacts>): ReturnType<typeof judgeServer> {
  return judgeServer({ ...GOOD, ...changes });
}

describe("what a server tells of itself", () => {
  const INFO = [
    "# Server",
    "redis_version:7.0.15",
    "redis_mode:standalone",
    "# Memory",
    "maxmemory:104857600",
    "maxmemory_policy:allkeys-lru",
    "# Persistence",
    "aof_enabled:0",
    "# Replication",
    "role:master",
    "# Cluster",
    "cluster_enabled:0",
    "",
  ].join("\r\n");

  test("is read from INFO", () => {
    expect(factsIn(INFO, "")).toEqual({
      software: "Redis",
      version: "7.0.15",
      isCluster: false,
      isReadOnly: false,
      maxMemoryBytes: 100 * 1024 * 1024,
      evictionPolicy: "allkeys-lru",
      keepsOnDisk: false,
    });
  });

  test("names a Valkey by its own version, not by the Redis that it can stand in for", () => {
    const { software, version } = factsIn(`${INFO}valkey_version:8.1.0\r\n`, null);
    expect([software, version]).toEqual(["Valkey", "8.1.0"]);
  });

  test.each([
    ["0", "3600 1 300 100", true],
    ["0", "", false],
    ["1", "", true],
    ["1", null, true],
    ["0", null, null],
  ])("aof_enabled:%s and save %j: it keeps things on disk: %s", (aof, save, keeps) => {
    expect(factsIn(`aof_enabled:${aof}\r\n`, save).keepsOnDisk).toBe(keeps);
  });

  test("may be nothing at all, which is no reason for a warning", () => {
    expect(judgeServer(factsIn("", null))).toEqual({ refusal: null, warnings: [], hint: null });
  });
});

describe("a server that is to hold a queue", () => {
  test("is well when it keeps what it is given", () => {
    expect(judged({})).toEqual({ refusal: null, warnings: [], hint: null });
  });

  test.each([
    ["5.0.14", 1],
    ["6.0.16", 1],
    ["6.2.0", 0],
    ["7.0.15", 0],
    ["10.0.0", 0],
    ["255.255.255", 0],
    ["unknown", 0],
  ])("of version %s brings %i warnings", (version, count) => {
    expect(judged({ version })).toMatchObject({ refusal: null });
    expect(judged({ version }).warnings).toHaveLength(count);
  });

  test("is refused when it is too old for any queue", () => {
    expect(judged({ version: "4.0.9" }).refusal).toBe(
      "it is Redis 4.0.9, and the queue needs 6.2 or newer. Update it",
    );
  });

  test("is refused in cluster mode, with what is supported", () => {
    expect(judged({ isCluster: true }).refusal).toMatch(/cluster mode.*outside a cluster/);
  });

  test("is refused when it is a replica", () => {
    expect(judged({ isReadOnly: true }).refusal).toMatch(/takes no writes. Name its primary/);
  });

  test("is warned of when it throws keys away, with how much it holds", () => {
    const full = judged({ evictionPolicy: "allkeys-lru", maxMemoryBytes: 200 * 1024 * 1024 });
    expect(full.warnings).toEqual([
      expect.stringMatching(/^Redis throws keys away when its 200 MB are full .*to noeviction\.$/),
    ]);
    const endless = judged({ evictionPolicy: "volatile-ttl" });
    expect(endless.warnings).toEqual([expect.stringMatching(/as soon as it has a maxmemory/)]);
  });

  test("gets a hint, no warning, when it keeps nothing on disk", () => {
    const { warnings, hint } = judged({ keepsOnDisk: false });
    expect(warnings).toEqual([]);
    expect(hint).toMatch(/No recorded answer is lost with it/);
  });
});
