import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { hasRedisServer } from "./support/redis-server.ts";
import { reviewsCsv, reviewsJob, reviewText } from "./support/reviews.ts";
import { RunDirectory } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

/** As a gateway quotes what it refuses. */
function quoting(key: string): object {
  return {
    error: { message: `Incorrect API key provided: ${key}. Bearer ${key}`, type: "x", code: "odd" },
  };
}

async function openWorld(key: string, queue: "embedded" | "redis" = "embedded"): Promise<World> {
  const world = await World.open({ keys: { [key]: {} } }, queue);
  await world.write("reviews.csv", reviewsCsv(40));
  await world.write("reviews.yaml", reviewsJob());
  return world;
}

/** Names of the files of all runs that hold the text. */
async function filesWith(world: World, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const directory of await world.runs()) {
    for (const name of await new RunDirectory(directory).files()) {
      if ((await readFile(join(directory, name), "utf8")).includes(text)) found.push(name);
    }
  }
  return found;
}

describe.each([
  { form: "of the usual form", key: "sk-A1b2C3d4E5f6G7h8I9j0K1l2M3n4" },
  { form: "without a prefix", key: "A1b2C3d4E5f6G7h8I9j0K1l2M3n4" },
])("a key $form", ({ key }) => {
  const command = ["run", "reviews.yaml", "--json", "--log-level", "trace", "--attempts", "2"];

  it("is in no file and no output, whatever the gateway says about it", async () => {
    await using world = await openWorld(key);
    world.gateway.script([
      { match: "number 3:", status: 400, body: quoting(key), times: 9 },
      { match: "number 4:", status: 500, body: quoting(key), times: 9 },
      { match: "number 5:", status: 500, body: `<p>${key}</p>`, times: 9 },
      { match: "number 6:", status: 200, body: quoting(key), times: 9 },
      { match: "number 7:", fault: "reset", times: 9 },
      { match: "number 8:", status: 429, body: quoting(key), headers: { "retry-after-ms": "5" } },
    ]);
    const failed = await world.nightshift(command, { NIGHTSHIFT_API_KEY: key });
    const [path = ""] = await world.runs();
    const told = await world.nightshift(["status", path], { NIGHTSHIFT_API_KEY: key });
    expect(failed.code).toBe(2);
    expect(await filesWith(world, reviewText(3))).toContain("output.csv");
    expect(await filesWith(world, key)).toEqual([]);
    for (const text of [failed.stdout, failed.stderr, told.stdout]) expect(text).not.toContain(key);
  });

  it("is in none when it is refused in the middle of a run", async () => {
    await using world = await openWorld(key);
    world.gateway.script([
      { times: 10, delayMs: 1 },
      { times: 999, status: 401, body: quoting(key) },
    ]);
    const stopped = await world.nightshift(command, { NIGHTSHIFT_API_KEY: key });
    expect(stopped.code).toBe(3);
    expect(await filesWith(world, "Incorrect API key")).toContain("run.json");
    expect(await filesWith(world, key)).toEqual([]);
    expect(`${stopped.stdout}${stopped.stderr}`).not.toContain(key);
  });

  it.runIf(hasRedisServer)("never reaches Redis", async () => {
    await using world = await openWorld(key, "redis");
    const redis = world.redis?.connect();
    const monitor = await redis?.monitor();
    let seen = "";
    monitor?.on(
      "monitor",
      (_time: string, args: readonly string[]) => (seen += `${args.join(" ")}\n`),
    );
    const exit = await world.nightshift(command, { NIGHTSHIFT_API_KEY: key });
    // The last item's prompt has passed, so all that went before has been seen.
    await until("the monitor has seen the last item", () => seen.includes(reviewText(39)));
    monitor?.disconnect();
    redis?.disconnect();
    expect(exit.code).toBe(0);
    expect(seen).not.toContain(key);
  });
});

it("a key that is a mere word, for a gateway that asks for none, spoils no error", async () => {
  await using world = await openWorld("x");
  world.gateway.script([{ match: "number 3:", fault: "context" }]);
  await world.nightshift(["run", "reviews.yaml", "--out", "run"], { NIGHTSHIFT_API_KEY: "x" });
  const errors = await new RunDirectory(world.path("run")).errors();
  expect(errors.map(({ nightshift: { code } }) => code)).toEqual(["context_length_exceeded"]);
});

it("a password in the address of Redis is in no file and no output", async () => {
  await using world = await openWorld("sk-demo");
  const exit = await world.nightshift(["run", "reviews.yaml"], {
    NIGHTSHIFT_REDIS_URL: "redis://someone:p4ssw0rd@127.0.0.1:1",
  });
  expect([exit.code, exit.stderr]).toEqual([1, expect.stringContaining("127.0.0.1:1")]);
  expect(`${exit.stdout}${exit.stderr}`).not.toContain("p4ssw0rd");
});

it("a password in the base URL is refused and not repeated", async () => {
  await using world = await openWorld("sk-demo");
  const url = world.gateway.url.replace("http://", "http://someone:p4ssw0rd@");
  const exit = await world.nightshift(["run", "reviews.yaml", "--base-url", url]);
  expect([exit.code, exit.stderr]).toEqual([1, expect.stringContaining("NIGHTSHIFT_API_KEY")]);
  expect(exit.stderr).not.toContain("p4ssw0rd");
});

it("says that a password in --redis shows in argv, without showing it again", async () => {
  await using world = await World.open();
  const at = (address: string): string[] => ["status", "--redis", address];
  const shown = await world.nightshift(at("redis://team:p4ssword@127.0.0.1:1"));
  expect([shown.code, shown.stderr]).toEqual([
    1,
    expect.stringMatching(/^warning: a password in --redis shows .*NIGHTSHIFT_REDIS_URL/),
  ]);
  expect(shown.stderr).not.toContain("p4ssword");
  expect((await world.nightshift(at("redis://127.0.0.1:1"))).stderr).not.toContain("warning");
});
