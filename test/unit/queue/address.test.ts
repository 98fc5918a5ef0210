import { describe, expect, test } from "vitest";

import { type Endpoint, parseAddress, redactAddress } from "../../../src/queue/address.ts";

const NOTHING: Endpoint = {
  host: null,
  port: 6379,
  socketPath: null,
  tls: false,
  username: null,
  password: null,
  db: 0,
};

describe("the address of a Redis", () => {
  test.each<[string, Partial<Endpoint>]>([
    ["redis://localhost", { host: "localhost" }],
    ["redis://localhost/", { host: "localhost" }],
    ["redis://10.0.0.7:7000/2", { host: "10.0.0.7", port: 7000, db: 2 }],
    ["redis://[::1]:7000", { host: "::1", port: 7000 }],
    ["rediss://queue.example:6380", { host: "queue.example", port: 6380, tls: true }],
    ["REDISS://queue.example", { host: "queue.example", tls: true }],
    ["redis://:secret@host", { host: "host", password: "secret" }],
    [
      "redis://team:s%40cr%3At@host/1",
      { host: "host", username: "team", password: "s@cr:t", db: 1 },
    ],
    ["redis://team:100%@host", { host: "host", username: "team", password: "100%" }],
    ["/run/redis.sock", { socketPath: "/run/redis.sock" }],
    ["unix:///run/redis.sock", { socketPath: "/run/redis.sock" }],
    ["redis+unix:///run/redis.sock?db=3", { socketPath: "/run/redis.sock", db: 3 }],
    ["unix:///run/a@b/redis.sock", { socketPath: "/run/a@b/redis.sock" }],
    ["unix://:se/cret@/run/r.sock", { socketPath: "/run/r.sock", password: "se/cret" }],
    [
      "unix://team:s%40@/run/r.sock?db=1",
      { socketPath: "/run/r.sock", username: "team", password: "s@", db: 1 },
    ],
  ])("%s is understood", (address, said) => {
    expect(parseAddress(address)).toEqual({ ...NOTHING, ...said });
  });

  test.each([
    "",
    "localhost",
    "localhost:6379",
    "http://localhost:6379",
    "redis://",
    "redis:///0",
    "redis://host/queue",
    "redis://host/-1",
    "redis://host/0/1",
    "redis://host:port",
  ])("%j is none", (address) => {
    expect(() => parseAddress(address)).toThrow("is no Redis address: write redis://host:6379");
  });

  test.each([
    "redis://host?db=2",
    "rediss://host?ca=/etc/ca.pem",
    "redis://host/2?password=hush",
    "unix:///run/redis.sock?password=hush",
    "unix:///run/redis.sock?db=two",
  ])("%j says something unknown after ?, which the message does not repeat", (address) => {
    const read = (): Endpoint => parseAddress(address);
    expect(read).toThrow(/after \? that Nightshift does not know/);
    expect(read).not.toThrow(/hush/);
  });

  test.each(["redis://team:hu#sh@host", "redis://team:hu/sh@host", "redis://team:1/sh@host"])(
    "%j needs its password escaped, which the message says without repeating it",
    (address) => {
      expect(() => parseAddress(address)).toThrow(/redis:\/\/host.*are written %40 %3A %2F/);
      expect(() => parseAddress(address)).not.toThrow(/sh@|team/);
    },
  );
});

describe("an address in a message", () => {
  test.each([
    ["redis://localhost:6379/2", "redis://localhost:6379/2"],
    ["rediss://user:secret@host:6379", "rediss://host:6379"],
    ["redis://:se@cret@host", "redis://host"],
    ["redis://:se/cret@host", "redis://host"],
    ["redis://:se\ncret@host", "redis://host"],
    ["user:secret@host:6379", "host:6379"],
    ["unix:///tmp/redis.sock", "unix:///tmp/redis.sock"],
    ["unix://user:secret@/tmp/redis.sock?db=2", "unix:///tmp/redis.sock?db=2"],
    ["redis://host/1?password=secret", "redis://host/1"],
  ])("%j is shown as %s", (address, shown) => {
    expect(redactAddress(address)).toBe(shown);
  });
});
