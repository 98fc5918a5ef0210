import { rm } from "node:fs/promises";

import { expect, it } from "vitest";

import type { SchedulerEvent } from "../../../../src/run/scheduler/events.ts";
import { findJobFiles } from "../../../../src/run/scheduler/job-files.ts";
import { JobShelf } from "../../../../src/run/scheduler/job-shelf.ts";
import { aWorkspace, errorOf, type Workspace } from "../jobs.ts";

const job = (cron: string, ...lines: string[]): string =>
  ["input: a.csv", `schedule: { cron: "${cron}", tz: UTC }`, ...lines, ""].join("\n");

function aShelf({ path }: Workspace, ...targets: string[]) {
  const events: SchedulerEvent[] = [];
  const shelf = new JobShelf(targets.length > 0 ? targets : [path], path, (event) => {
    events.push(event);
  });
  const look = async (): Promise<Record<string, string>> => {
    const jobs = await shelf.look();
    return Object.fromEntries([...jobs.values()].map((one) => [one.job.name, one.cron]));
  };
  const told = (): string[] =>
    events
      .splice(0)
      .map((event) =>
        event.event === "job_broken"
          ? `broken, ${event.keeps ? "kept" : "not followed"}: ${event.message.replaceAll(`${path}/`, "")}`
          : event.event,
      );
  return { look, told };
}

it("follows every file of a directory that has a schedule", async () => {
  await using workspace = await aWorkspace();
  await workspace.write("b.yml", job("@daily"));
  await workspace.write("a.yaml", job("@hourly"));
  await workspace.write("once.yaml", "input: a.csv\n");
  await workspace.write("notes.txt", "");
  const { look, told } = aShelf(workspace);
  expect(await look()).toEqual({ a: "@hourly", b: "@daily" });
  expect(told()).toEqual(["scheduled", "scheduled"]);
  await look();
  expect(told()).toEqual([]);
});

it("takes up what has changed, is new, or is gone, without a restart", async () => {
  await using workspace = await aWorkspace();
  await workspace.write("a.yaml", job("@hourly"));
  await workspace.write("b.yaml", job("@daily"));
  const { look, told } = aShelf(workspace);
  await look();
  told();
  await workspace.write("a.yaml", job("30 2 * * *"));
  await workspace.write("c.yaml", job("@weekly"));
  await rm(`${workspace.path}/b.yaml`);
  expect(await look()).toEqual({ a: "30 2 * * *", c: "@weekly" });
  expect(told()).toEqual(["scheduled", "scheduled", "unscheduled"]);
});

it("keeps the last good form of a file that is broken, and tells what is wrong once", async () => {
  await using workspace = await aWorkspace();
  await workspace.write("a.yaml", job("@hourly"));
  const { look, told } = aShelf(workspace);
  await look();
  told();
  await workspace.write("a.yaml", job("0 0 30 2 *"));
  expect(await look()).toEqual({ a: "@hourly" });
  await look();
  expect(told()).toEqual([
    expect.stringMatching(/^broken, kept: a\.yaml:2: `schedule\.cron` .*never/),
  ]);
  await workspace.write("a.yaml", job("@weekly"));
  expect(await look()).toEqual({ a: "@weekly" });
});

it("a file that was never good hides no other", async () => {
  await using workspace = await aWorkspace();
  await workspace.write("a.yaml", "input: [\n");
  await workspace.write("b.yaml", job("@daily"));
  const { look, told } = aShelf(workspace);
  expect(await look()).toEqual({ b: "@daily" });
  expect(told()[0]).toMatch(/^broken, not followed: a\.yaml:/);
});

it("of two jobs with one name the first is followed, and the other told", async () => {
  await using workspace = await aWorkspace();
  await workspace.write("a.yaml", job("@hourly", "name: same"));
  await workspace.write("b.yaml", job("@daily", "name: same"));
  const { look, told } = aShelf(workspace);
  expect(await look()).toEqual({ same: "@hourly" });
  expect(told().at(-1)).toMatch(/^broken, not followed: its name same is taken by a\.yaml/);
  await look();
  expect(told()).toEqual([]);
});

it("refuses what is neither a directory nor a job file", async () => {
  expect(await errorOf(findJobFiles(["nowhere"]))).toContain("neither a directory nor a job file");
});
