import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

const job = (input: string, ...more: string[]): string =>
  reviewsJob(...more).replace("input: reviews.csv", `input: ${JSON.stringify(input)}`);

const part = (from: number, to: number): string =>
  [
    "review_id,text",
    ...upTo(to)
      .slice(from)
      .map((index) => `r${index},Review ${index}`),
    "",
  ].join("\n");

describe("a pattern as input", () => {
  it("runs the files as one, exports them, and names file and line of an error", async () => {
    await using world = await World.open();
    await world.write("inbox/b.csv", part(5, 9));
    await world.write("inbox/a.csv", part(0, 5));
    await world.write("job.yaml", job("inbox/*.csv"));
    expect((await world.nightshift(["run", "job.yaml", "--out", "run", "--quiet"])).code).toBe(0);
    const run = new RunDirectory(world.path("run"));
    expect(await run.ended()).toEqual(upTo(9));
    const ids = (await run.text("output.csv")).split("\n").map((line) => line.split(",")[0]);
    expect(ids.slice(1, 10)).toEqual(upTo(9).map((index) => `r${index}`));
    expect((await world.nightshift(["export", "run", "--quiet"])).code).toBe(0);
    expect((await world.nightshift(["retry", "run", "--quiet"])).code).toBe(0);

    await world.write("inbox/c.csv", "review_id,text\nr3,again\n");
    const twice = await world.nightshift(["run", "job.yaml", "--out", "other"]);
    expect([twice.code, twice.stderr]).toEqual([
      1,
      expect.stringMatching(/inbox\/c\.csv:2: the id "r3" was used on line 5 of a\.csv already/),
    ]);
  });

  it("without a file is an error before anything is called", async () => {
    await using world = await World.open();
    await world.write("job.yaml", job("inbox/{{ date }}/*.csv"));
    const done = await world.nightshift(["run", "job.yaml"]);
    expect([done.code, done.stderr]).toEqual([
      1,
      expect.stringMatching(/inbox\/\d{4}-\d\d-\d\d\/\*\.csv: no file matches/),
    ]);
    expect(world.gateway.stats().requests).toBe(0);
  });
});

it("{{ date }} in the input is the day by the job's clock", async () => {
  await using world = await World.open();
  const zone = "Pacific/Kiritimati";
  const today = new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(new Date());
  await world.write(`reviews-${today}.csv`, reviewsCsv(3));
  const schedule = `schedule: { cron: "0 2 * * *", tz: ${zone} }`;
  await world.write("job.yaml", job("reviews-{{ date }}.csv", schedule));
  expect((await world.nightshift(["schedule", "run", "job.yaml", "--quiet"])).code).toBe(0);
});

describe("standard input", () => {
  async function piped(world: World, text: string, ...args: string[]): Promise<[number, string]> {
    const child = spawn(process.execPath, [CLI, ...args], {
      cwd: world.directory,
      env: {
        PATH: process.env["PATH"],
        TMPDIR: world.path("tmp"),
        XDG_STATE_HOME: world.path("state"),
        NIGHTSHIFT_BASE_URL: world.gateway.url,
        NIGHTSHIFT_API_KEY: "sk-demo",
      },
      stdio: ["pipe", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(text);
    const [code] = (await once(child, "close")) as [number];
    return [code, stderr];
  }

  const COMMAND = ["run", "job.yaml", "--budget-requests", "4", "--concurrency", "1", "--quiet"];

  it("is kept with its run, which goes on without it", async () => {
    await using world = await World.open();
    await world.write("job.yaml", job("-"));
    const [code] = await piped(world, reviewsCsv(9), ...COMMAND);
    expect(code).toBe(3);
    const names = (await world.runs()).filter((path) => !path.includes("/."));
    expect(names).toHaveLength(1);
    const run = new RunDirectory(names[0] ?? "");
    expect(await run.text("input.csv")).toBe(reviewsCsv(9));

    const again = await world.nightshift(["run", "job.yaml", "--quiet"]);
    expect(again.code).toBe(0);
    expect(await run.ended()).toEqual(upTo(9));
    expect((await world.runs()).length).toBe(1);
    expect(world.gateway.stats().billedRequests).toBe(9);
    expect((await world.nightshift(["export", run.path, "--quiet"])).code).toBe(0);
  });

  it("piped in once more goes on too, and may be JSONL", async () => {
    await using world = await World.open();
    await world.write("job.yaml", job("-"));
    const lines = upTo(9).map((index) =>
      JSON.stringify({ review_id: `r${index}`, text: `${index}` }),
    );
    const text = `${lines.join("\n")}\n`;
    expect((await piped(world, text, ...COMMAND))[0]).toBe(3);
    expect((await piped(world, text, "run", "job.yaml", "--quiet"))[0]).toBe(0);
    expect((await world.runs()).length).toBe(1);
    expect(world.gateway.stats().billedRequests).toBe(9);
  });

  it("is found again in the directory that the command names, and nowhere else", async () => {
    await using world = await World.open();
    await world.write("job.yaml", job("-"));
    expect((await piped(world, reviewsCsv(9), ...COMMAND))[0]).toBe(3);
    expect((await piped(world, reviewsCsv(5), ...COMMAND, "--out", "r/mine"))[0]).toBe(3);

    const again = ["run", "job.yaml", "--quiet", "--out"];
    expect((await piped(world, "", ...again, "r/mine"))[0]).toBe(0);
    expect(await new RunDirectory(world.path("r/mine")).ended()).toEqual(upTo(5));
    const [code, stderr] = await piped(world, "", ...again, "r/new");
    expect([code, stderr]).toEqual([1, expect.stringContaining("nothing on standard input")]);
    expect(world.gateway.stats().billedRequests).toBe(4 + 5);
  });

  it("with nothing on it is an error where no run has a copy", async () => {
    await using world = await World.open();
    const [code, stderr] = await piped(
      world,
      "",
      "run",
      "-",
      "--model",
      "m",
      "--prompt",
      "{{ text }}",
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining("nothing on standard input")]);
    await world.write("job.yaml", job("-", 'schedule: { cron: "@daily" }'));
    const scheduled = await world.nightshift(["run", "job.yaml"]);
    expect(scheduled.stderr).toContain("`input` is standard input, which a scheduler has none of");
  });
});
