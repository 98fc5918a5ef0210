import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import type { Exit } from "./support/process.ts";
import { answerTo, reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const ITEMS = 40;
const FAILING = 7;
const note = (index: number): string => (index === FAILING ? " [[fault:context]]" : "");

async function openWorld(): Promise<World> {
  const world = await World.open();
  await world.write("reviews.csv", reviewsCsv(ITEMS, note));
  await world.write("reviews.yaml", reviewsJob("params: { max_tokens: 50 }"));
  return world;
}

function events(exit: Exit): Record<string, unknown>[] {
  expect(exit.stdout.endsWith("\n")).toBe(true);
  return exit.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("what a run says", () => {
  let world: World;
  beforeAll(async () => void (world = await openWorld()));
  afterAll(() => world[Symbol.asyncDispose]());

  it("is NDJSON from started to ended with --json, and nothing else on stdout", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "json", "--json"]);
    const said = events(exit);
    expect(said.at(0)).toMatchObject({
      event: "started",
      items: ITEMS,
      completed: 0,
      continued: false,
    });
    expect(said.at(-1)).toMatchObject({
      event: "ended",
      state: "finished",
      usage: { items: { completed: ITEMS - 1, failed: 1 } },
      files: { output: world.path("json/output.csv") },
    });
    expect(said.filter(({ event }) => event === "item_failed")).toMatchObject([
      { index: FAILING, custom_id: `r${FAILING}`, code: "context_length_exceeded" },
    ]);
    const kinds = new Set(said.map(({ event }) => event));
    expect(kinds).toEqual(new Set(["started", "progress", "item_failed", "ended"]));
  });

  it("is NDJSON when there is nothing left to do, too", async () => {
    const said = events(await world.nightshift(["run", "reviews.yaml", "--out", "json", "--json"]));
    expect([said.at(0)?.["event"], said.at(-1)]).toEqual([
      "started",
      expect.objectContaining({ event: "ended", already_finished: true }),
    ]);
  });

  it.runIf(existsSync("/dev/full"))("without room on stdout is told of once", () => {
    const shell = 'exec "$0" "$1" run reviews.yaml --out json --json > /dev/full';
    const { stderr } = spawnSync("sh", ["-c", shell, process.execPath, CLI], {
      cwd: world.directory,
      encoding: "utf8",
      env: world.variables(),
    });
    expect(stderr.match(/ENOSPC/g)).toEqual(["ENOSPC"]);
  });

  it("is nothing with --quiet but what to do about failed items", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "quiet", "--quiet"]);
    expect([exit.code, exit.stdout, exit.stderr]).toEqual([
      2,
      "",
      expect.stringMatching(
        /^nightshift: \d+ items? failed: `nightshift status quiet`.*retry.*\n$/,
      ),
    ]);
  });

  it("holds no escape codes where stderr is no terminal", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "plain"]);
    expect(exit.stderr).toContain("finished");
    // oxlint-disable-next-line no-control-regex -- escape codes begin with this character
    expect(exit.stderr).not.toMatch(/\u001b/);
  });

  it("shows what failed and how to go on", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml", "--out", "plain"]);
    expect(exit.stderr).toContain("nightshift status plain");
  });

  it("has its commands as they are typed where npx started it, but for programs", async () => {
    const npx = { npm_command: "exec" };
    const status = await world.nightshift(["status", "plain"], npx);
    expect(status.stdout).toMatch(/try again {3}npx nightshift retry /);
    const help = await world.nightshift(["run", "--help"], npx);
    expect(help.stdout).toMatch(/^Usage: npx nightshift run [^]*\$ npx nightshift run jobs/);
    const [cause] = events(await world.nightshift(["status", "plain", "--json"], npx)).flatMap(
      ({ errors }) => errors as { retry: string }[],
    );
    expect(cause?.retry).toMatch(/^nightshift retry /);
  });

  it("says of a run directory what can be done with it", async () => {
    const exit = await world.nightshift(["run", "plain"]);
    expect([exit.code, exit.stderr]).toEqual([
      1,
      expect.stringMatching(/plain is a run directory: `nightshift retry plain` [^]*status plain`/),
    ]);
  });
});

describe("--dry-run", () => {
  it("shows requests and cost, and calls and writes nothing", async () => {
    await using world = await openWorld();
    const exit = await world.nightshift(["run", "reviews.yaml", "--dry-run"]);
    expect([exit.code, exit.stdout]).toEqual([0, expect.stringContaining("Review number 0")]);
    expect([world.gateway.stats().requests, await world.runs()]).toEqual([0, []]);
  });

  it("warns of a prompt that asks the same of every record, as the run does", async () => {
    await using world = await openWorld();
    const job = ["run", "reviews.yaml", "--json", "--prompt", "Classify the text."];
    for (const flags of [["--dry-run"], ["--first", "3"]]) {
      const exit = await world.nightshift([...job, ...flags]);
      expect(exit.stderr).toMatch(/^warning: reviews\.csv: all \d+ items will ask the same/m);
      expect(events(exit)).toContainEqual({
        event: "warning",
        message: expect.stringContaining("will ask the same") as string,
      });
    }
  });

  it("needs neither key nor gateway", async () => {
    await using world = await openWorld();
    const exit = await world.nightshift(["run", "reviews.yaml", "--dry-run", "--json"], {
      NIGHTSHIFT_API_KEY: undefined,
      NIGHTSHIFT_BASE_URL: "http://127.0.0.1:1/v1",
    });
    expect(events(exit)).toMatchObject([{ event: "dry_run", items: ITEMS }]);
  });

  it("finds what a run would refuse", async () => {
    await using world = await openWorld();
    const exit = await world.nightshift([
      "run",
      "reviews.yaml",
      "--dry-run",
      "--prompt",
      "{{ nothing }}",
    ]);
    expect([exit.code, exit.stderr]).toEqual([1, expect.stringContaining("unknown column")]);
  });
});

describe("status, verify and export", () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
    await world.nightshift(["run", "reviews.yaml", "--quiet"]);
    await world.nightshift(["run", "reviews.yaml", "--quiet", "--new", "--first", "3"]);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function theWholeRun(): Promise<string> {
    for (const path of await world.runs()) {
      if ((await new RunDirectory(path).manifest()).items === ITEMS) return path;
    }
    throw new Error("there is no whole run");
  }

  it("status shows counts and the causes of errors, with advice", async () => {
    const { code, stdout } = await world.nightshift(["status", await theWholeRun()]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/finished[^]*39[^]*context_length_exceeded[^]*Shorten/);
  });

  it("status --json shows the same to programs", async () => {
    const exit = await world.nightshift(["status", await theWholeRun(), "--json"]);
    expect(events(exit)).toMatchObject([
      {
        event: "status",
        state: "finished",
        in_use_by: null,
        items: { total: ITEMS, completed: ITEMS - 1, failed: 1, pending: 0 },
        errors: [
          { cause: "context_length_exceeded", count: 1, example: { custom_id: `r${FAILING}` } },
        ],
      },
    ]);
  });

  it("status without a directory lists every run", async () => {
    const all = events(await world.nightshift(["status", "--json"]));
    expect(
      all.map(({ items }) => (items as { total: number }).total).sort((a, b) => a - b),
    ).toEqual([3, ITEMS]);
    const text = await world.nightshift(["status"]);
    for (const path of await world.runs()) expect(text.stdout).toContain(path.split("/").at(-1));
  });

  it("status of a directory that holds runs lists them, too", async () => {
    const { stdout } = await world.nightshift(["status"]);
    expect((await world.nightshift(["status", "runs"])).stdout).toBe(stdout);
  });

  it.runIf(existsSync("/dev/full"))("a stdout without room is told, with exit 3", () => {
    const shell = 'exec "$0" "$1" status --json > /dev/full';
    const { status, stderr } = spawnSync("sh", ["-c", shell, process.execPath, CLI], {
      cwd: world.directory,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([3, expect.stringContaining("ENOSPC")]);
  });

  it("verify --json agrees", async () => {
    const exit = await world.nightshift(["verify", await theWholeRun(), "--json"]);
    expect(events(exit)).toMatchObject([{ event: "verified", ok: true, items: ITEMS, pending: 0 }]);
  });

  it("verify finds a result that is there twice", async () => {
    const path = await theWholeRun();
    const results = await new RunDirectory(path).text("results.jsonl");
    const name = `${path.slice(world.directory.length + 1)}/results.jsonl`;
    await world.write(name, `${results}${results.split("\n")[4]}\n`);
    try {
      const { code, stderr } = await world.nightshift(["verify", path]);
      expect([code, stderr]).toEqual([1, expect.stringContaining("second result")]);
    } finally {
      await world.write(name, results);
    }
  });

  it("export writes the other format", async () => {
    const path = await theWholeRun();
    expect((await world.nightshift(["export", path, "--format", "jsonl"])).code).toBe(0);
    const lines = (await new RunDirectory(path).text("output.jsonl")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      upTo(ITEMS).map((index) => ({
        review_id: `r${index}`,
        ...(index === FAILING
          ? {
              completion: null,
              error: expect.stringContaining("context_length_exceeded") as string,
            }
          : { completion: answerTo(index), error: null }),
      })),
    );
  });

  it("export writes the same output again, byte by byte", async () => {
    const run = new RunDirectory(await theWholeRun());
    const before = await run.text("output.csv");
    await world.nightshift(["export", run.path, "--format", "csv"]);
    expect(await run.text("output.csv")).toBe(before);
  });
});

it("shows and exports a run in the middle of it", async () => {
  await using world = await openWorld();
  world.gateway.script([
    { delayMs: 1, times: 20 },
    { delayMs: 60_000, times: ITEMS },
  ]);
  const running = world.start(["run", "reviews.yaml", "--out", "run", "--concurrency", "4"]);
  const run = new RunDirectory(world.path("run"));
  await until("20 items have ended", async () => (await run.completed()) >= 20);

  const [status] = events(await world.nightshift(["status", "run", "--json"]));
  expect(status).toMatchObject({ state: "running", in_use_by: { pid: running.pid } });
  expect((await world.nightshift(["verify", "run"])).code).toBe(0);
  expect((await world.nightshift(["export", "run"])).stderr).toContain("still without an answer");
  const output = parse<{ completion: string }>(await run.text("output.csv"), { columns: true });
  expect([output.length, output.filter(({ completion }) => completion !== "").length]).toEqual([
    ITEMS,
    20,
  ]);
});

describe("init", () => {
  it("writes a job file that passes --dry-run", async () => {
    await using world = await openWorld();
    const written = await world.nightshift(["init", "reviews.csv", "--out", "new.yaml"]);
    expect([written.code, written.stdout]).toEqual([0, ""]);
    const dry = await world.nightshift(["run", "new.yaml", "--dry-run", "--json"]);
    expect(events(dry)).toMatchObject([
      { items: ITEMS, samples: [{ custom_id: "r0" }, { custom_id: "r1" }, { custom_id: "r2" }] },
    ]);
  });

  it("makes the directory, and leads from there to input, schema and runs", async () => {
    await using world = await openWorld();
    const written = await world.nightshift(["init", "reviews.csv", "--out", "nights/every.yaml"]);
    expect(written.code).toBe(0);
    const text = await readFile(world.path("nights/every.yaml"), "utf8");
    const [, schema = ""] = /\$schema=(.*)$/m.exec(text) ?? [];
    expect(JSON.parse(await readFile(resolve(world.path("nights"), schema), "utf8"))).toMatchObject(
      {
        title: "Nightshift job",
      },
    );
    await world.write("nights/every.yaml", text.replace("# out:", "out:"));
    const exit = await world.nightshift(["run", "nights/every.yaml", "--first", "1"]);
    expect(exit.code).toBe(0);
    const [run = ""] = await world.runs();
    expect(basename(run)).toMatch(/^every-\d{4}-\d\d-\d\d$/);
  });

  it("writes for OpenAI Batch lines what counts for them, and nothing else", async () => {
    await using world = await openWorld();
    const body = { model: "gpt-4o", messages: [{ role: "user", content: "hi" }] };
    const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body };
    await world.write("lines.jsonl", `${JSON.stringify(line)}\n`);
    expect((await world.nightshift(["init", "lines.jsonl"])).code).toBe(0);
    const dry = await world.nightshift(["run", "lines.yaml", "--dry-run", "--json"]);
    expect([dry.code, dry.stderr]).toEqual([0, ""]);
    expect(events(dry)).toMatchObject([{ samples: [{ custom_id: "a", body }] }]);
    const flags = ["--model", "gpt-4o-mini", "--param", "max_tokens=5"];
    const told = await world.nightshift(["run", "lines.yaml", "--dry-run", ...flags]);
    expect(told.stderr).toMatch(
      /^warning: lines\.jsonl: line 1 is .* of model and params does not/,
    );
  });

  it("overwrites no job file unless told to", async () => {
    await using world = await openWorld();
    const refused = await world.nightshift(["init", "reviews.csv"]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("--force")]);
    expect((await world.nightshift(["init", "reviews.csv", "--force"])).code).toBe(0);
  });

  it("understands columns with spaces, quotes and Chinese names", async () => {
    await using world = await openWorld();
    await world.write("odd.csv", '"the ""id""",评论 内容,{{x}}\n1,好,y\n');
    await world.nightshift(["init", "odd.csv"]);
    expect((await world.nightshift(["run", "odd.yaml", "--dry-run"])).code).toBe(0);
  });

  it("asks for no prompt where the lines are requests", async () => {
    await using world = await openWorld();
    await world.write("batch.jsonl", '{"messages":[{"role":"user","content":"hi"}]}\n');
    await world.nightshift(["init", "batch.jsonl"]);
    expect((await world.nightshift(["run", "batch.yaml", "--dry-run"])).code).toBe(0);
  });
});

describe("models", () => {
  it("lists what the gateway offers to this key, sorted", async () => {
    await using world = await openWorld();
    const all = await world.nightshift(["models"]);
    expect([all.code, all.stdout.split("\n").slice(0, 2)]).toEqual([
      0,
      ["claude-sonnet-4-5", "deepseek-chat"],
    ]);
    const few = await world.nightshift(["models", "--json"], { NIGHTSHIFT_API_KEY: "sk-limited" });
    expect(events(few)).toEqual([{ event: "model", model: "gpt-4o-mini" }]);
  });

  it("says what to do about a wrong key", async () => {
    await using world = await openWorld();
    const exit = await world.nightshift(["models"], { NIGHTSHIFT_API_KEY: "sk-wrong" });
    expect([exit.code, exit.stderr]).toEqual([
      3,
      expect.stringMatching(/Check NIGHTSHIFT_API_KEY.* Then run the same command again\.\n$/),
    ]);
  });

  it("says what to do about a gateway that is not there", async () => {
    await using world = await openWorld();
    await world.gateway.close();
    const exit = await world.nightshift(["models"]);
    expect([exit.code, exit.stderr]).toEqual([
      1,
      expect.stringMatching(/does not answer \(.*ECONNREFUSED.*\)\. .*check NIGHTSHIFT_BASE_URL/),
    ]);
  });
});

describe("the key", () => {
  let world: World;
  beforeAll(async () => void (world = await openWorld()));
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.gateway.reset());
  const NONE = { NIGHTSHIFT_API_KEY: undefined, NIGHTSHIFT_BASE_URL: undefined };

  it("is read from .env in the working directory, and the environment beats it", async () => {
    await world.write(
      ".env",
      `\uFEFFNIGHTSHIFT_API_KEY=sk-limited\nNIGHTSHIFT_BASE_URL=${world.gateway.url}\n`,
    );
    try {
      expect((await world.nightshift(["models"], NONE)).stdout).toBe("gpt-4o-mini\n");
      const other = { ...NONE, NIGHTSHIFT_API_KEY: "sk-demo" };
      expect((await world.nightshift(["models"], other)).stdout).toContain("gpt-4o\n");
    } finally {
      await world.write(".env", "");
    }
  });

  it("is missed before anything is called", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml"], { NIGHTSHIFT_API_KEY: undefined });
    expect([exit.code, exit.stderr]).toEqual([
      1,
      expect.stringMatching(/set NIGHTSHIFT_API_KEY in the environment or in \/.*\/\.env, which/),
    ]);
  });

  it("of OpenAI alone is sent to no host that the user did not name", async () => {
    const exit = await world.nightshift(["run", "reviews.yaml"], {
      ...NONE,
      OPENAI_API_KEY: "sk-demo",
    });
    expect([exit.code, exit.stderr]).toEqual([
      1,
      expect.stringContaining("OPENAI_API_KEY is sent only where"),
    ]);
  });

  it("of OpenAI goes where OPENAI_BASE_URL points", async () => {
    const pair = { ...NONE, OPENAI_API_KEY: "sk-demo", OPENAI_BASE_URL: world.gateway.url };
    expect((await world.nightshift(["models"], pair)).code).toBe(0);
  });

  it("of Nightshift does not follow OPENAI_BASE_URL to another host", async () => {
    const exit = await world.nightshift(["models"], {
      ...NONE,
      NIGHTSHIFT_API_KEY: "sk-demo",
      OPENAI_BASE_URL: world.gateway.url,
      // Whoever asks the default host finds nobody.
      HTTPS_PROXY: "http://127.0.0.1:1",
    });
    expect([exit.code, exit.stdout]).toEqual([1, ""]);
  });
});

describe("the command line", () => {
  let world: World;
  beforeAll(async () => void (world = await openWorld()));
  afterAll(() => world[Symbol.asyncDispose]());

  it("tells its version and help on stdout", async () => {
    expect((await world.nightshift(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await world.nightshift(["--help"]);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining("Exit codes")]);
  });

  it.each([
    ["run"],
    ["retry"],
    ["status"],
    ["verify"],
    ["export"],
    ["init"],
    ["models"],
    ["runs"],
    ["clean"],
    ["worker"],
    ["pause"],
    ["resume"],
    ["cancel"],
    ["scheduler"],
    ["schedule", "list"],
    ["schedule", "next"],
    ["schedule", "run"],
    ["sandbox"],
  ])("has an example of %s in its help", async (...command) => {
    const { code, stdout } = await world.nightshift([...command, "--help"]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(`$ nightshift ${command.join(" ")}`),
    ]);
  });

  it("refuses an unknown command", async () => {
    const exit = await world.nightshift(["rnu"]);
    expect([exit.code, exit.stdout, exit.stderr]).toEqual([1, "", expect.stringContaining("rnu")]);
  });

  it("shows what it can do when asked for nothing", async () => {
    const exit = await world.nightshift([]);
    expect(`${exit.stdout}${exit.stderr}`).toContain("Usage");
  });
});
