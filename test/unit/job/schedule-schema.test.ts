import { describe, expect, it, test } from "vitest";

import { loadJob } from "../../../src/job/load.ts";
import { aWorkspace, errorOf } from "../run/jobs.ts";

async function load(...lines: string[]): Promise<string> {
  await using workspace = await aWorkspace();
  const path = await workspace.write("nightly.yaml", ["input: a.csv", ...lines].join("\n"));
  return (await errorOf(loadJob(path))).replaceAll(`${workspace.path}/`, "");
}

const scheduled = (cron: string, ...rest: string[]): Promise<string> =>
  load(
    `schedule: { cron: ${JSON.stringify(cron)}, tz: Europe/Berlin${rest.map((more) => `, ${more}`).join("")} }`,
  );

describe("a cron expression", () => {
  it.each([
    "0 2 * * *",
    "*/4 * * * * *",
    "0 2 * * MON-FRI",
    "0 2 * JAN,jul sun",
    "@daily",
    "@Midnight",
    "0 2 L * *",
    "0 0 29 2 *",
    "0 0 31 2 MON",
  ])("may be %s", async (cron) => {
    expect(await scheduled(cron)).toBe("no error");
  });

  it.each([
    ["0 0 30 2 *", "it never comes"],
    ["0 0 31 4,6 *", "it never comes"],
    ["61 * * * *", "Invalid value for minute: 61"],
    ["0 2 * *", "write five fields"],
    ["0 0 2 * * * 2027", "write five fields"],
    ["2026-01-01T00:00:00Z", "write five fields"],
    ["@reboot", "or one of @hourly @daily"],
    ["", "write five fields"],
    ["5-1 * * * *", "larger"],
    ["nonsense 2 * * *", "illegal"],
  ])("may not be %s, and the file's line and field are named", async (cron, why) => {
    const text = await scheduled(cron);
    expect(text).toMatch(/^UsageError: nightly\.yaml:2: `schedule\.cron` is no time to fire at: /);
    expect(text).toContain(why);
  });
});

test("an unknown time zone, policy or jitter is an error in its line", async () => {
  expect(await load("schedule: { cron: '@daily', tz: Europe/Berln }")).toContain(
    "nightly.yaml:2: `schedule.tz` is no time zone",
  );
  expect(await scheduled("@daily", "overlap: wait")).toContain("`schedule.overlap` must be one of");
  expect(await scheduled("@daily", "catch_up: all")).toContain(
    "`schedule.catch_up` must be one of",
  );
  expect(await scheduled("@daily", "unfinished: drop")).toContain("`schedule.unfinished`");
  expect(await scheduled("@daily", "jitter: soon")).toContain("`schedule.jitter` is no duration");
});

test("a jitter that would mix up the order of firings is an error", async () => {
  expect(await scheduled("*/5 * * * *", "jitter: 5m")).toContain(
    "`schedule.jitter` must be shorter than the time between two firings",
  );
  expect(await scheduled("*/5 * * * *", "jitter: 4m")).toBe("no error");
});

describe("the directory of a scheduled job", () => {
  const out = (cron: string, path: string): Promise<string> =>
    load(`schedule: { cron: "${cron}" }`, `out: "${path}"`);

  it.each([
    ["0 2 * * *", "runs/{{ name }}-{{ date }}"],
    ["0 2,14 * * *", "runs/{{ name }}-{{ date }}-{{ time }}"],
    ["*/5 * * * *", "runs/{{ run_id }}"],
  ])("(%s) may be %s", async (cron, path) => {
    expect(await out(cron, path)).toBe("no error");
  });

  it.each([
    ["0 2 * * *", "runs/nightly", "all firings of the schedule"],
    ["0 2 * * *", "runs/{{ name }}-{{ time }}", "all firings of the schedule"],
    ["0 2,14 * * *", "runs/{{ name }}-{{ date }}", "all firings of a day"],
    ["*/5 2 * * *", "runs/{{ name }}-{{ date }}", "all firings of a day"],
  ])("(%s) may not be %s: firings would share it", async (cron, path, what) => {
    expect(await out(cron, path)).toContain(
      `nightly.yaml:3: \`out\` gives ${what} the same directory`,
    );
  });
});
