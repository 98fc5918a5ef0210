import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { isJobFile, type LoadedJob, loadJob, parseJob } from "../../../src/job/load.ts";
import type { JobFile } from "../../../src/job/schema.ts";

async function jobDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "nightshift-job-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The job that this text is; `name` is the file's. */
async function loaded(
  yaml: string,
  name = "reviews.yaml",
): Promise<{ directory: string; job: LoadedJob["job"] }> {
  await using directory = await jobDirectory();
  const path = join(directory.path, name);
  await writeFile(path, yaml);
  return { directory: directory.path, job: (await loadJob(path)).job };
}

/** The error text of loading it, with the directory taken out. */
async function loadError(yaml: string): Promise<string> {
  try {
    await loaded(yaml);
  } catch (error) {
    const { name, message } = error as Error;
    return `${name} ${message.replaceAll(/\S*nightshift-job-\w+\//g, "")}`;
  }
  return "no error";
}

describe("a job file", () => {
  test("is what it says, its paths relative to the file", async () => {
    const { directory, job } = await loaded(
      "name: nightly\ninput: data/in.csv\nout: runs/{{ name }}-{{ date }}\nmodel: gpt-4o-mini\n",
    );
    expect(job).toEqual({
      name: "nightly",
      input: join(directory, "data/in.csv"),
      out: join(directory, "runs/{{ name }}-{{ date }}"),
      model: "gpt-4o-mini",
    });
  });

  test("is named for its file where it has no name", async () => {
    const { job } = await loaded("input: a.csv\n", "daily.reviews.yml");
    expect(job.name).toBe("daily.reviews");
  });

  test("may name its input by an absolute path", async () => {
    const { job } = await loaded("input: /data/in.csv\n");
    expect(job.input).toBe("/data/in.csv");
  });

  test("may begin with a byte order mark and end its lines as Windows does", async () => {
    const { job } = await loaded("\uFEFFinput: /data/in.csv\r\nmodel: m\r\n");
    expect(job).toMatchObject({ input: "/data/in.csv", model: "m" });
  });

  test("may hold everything that the design shows", async () => {
    const { job } = await loaded(
      [
        "name: nightly-reviews",
        "input: /data/reviews.csv",
        "model: gpt-4o-mini",
        "messages:",
        "  - { role: system, content: You are a professional AI assistant. }",
        '  - { role: user, content: "Classify the sentiment: {{ text }}" }',
        "params: { temperature: 0, max_tokens: 50 }",
        'id: "{{ review_id }}"',
        "limits: { concurrency: 64, rpm: 3000, tpm: 200000 }",
        "retry: { attempts: 6 }",
        "timeout: 60s",
        "schedule: { cron: '0 2 * * *', tz: Asia/Shanghai, overlap: skip, catch_up: once }",
      ].join("\n"),
    );
    expect(job).toMatchObject({
      messages: [{ role: "system" }, { content: "Classify the sentiment: {{ text }}" }],
      limits: { concurrency: 64, rpm: 3_000, tpm: 200_000 },
      schedule: { cron: "0 2 * * *", tz: "Asia/Shanghai" },
    });
  });
});

describe("a job file that is wrong", () => {
  test("in its syntax is refused with line and column", async () => {
    expect(await loadError("input: a.csv\nmodel: [m\n")).toMatch(/^UsageError reviews\.yaml:3:1: /);
  });

  test("with a key twice is refused at the second", async () => {
    expect(await loadError("input: a.csv\ninput: b.csv\n")).toMatch(
      /^UsageError reviews\.yaml:2:1: /,
    );
  });

  test("in a value is refused with its line and field", async () => {
    expect(await loadError("input: a.csv\nlimits:\n  rpm: 60\n  concurrency: 0\n")).toMatch(
      /^UsageError reviews\.yaml:4: `limits\.concurrency` .*>=1/,
    );
  });

  test("in a message is refused with its line and place in the list", async () => {
    const yaml =
      "input: a.csv\nmessages:\n  - role: user\n    content: hi\n  - role: bot\n    content: x\n";
    expect(await loadError(yaml)).toMatch(/^UsageError reviews\.yaml:5: `messages\[1\]\.role` /);
  });

  test("in a duration is told how to write one", async () => {
    expect(await loadError("input: a.csv\ntimeout: 1 minute\n")).toBe(
      'UsageError reviews.yaml:2: `timeout` write a duration such as "60s", "10m" or "24h"',
    );
  });

  test("by a field that does not exist is refused with its line and the fields that do", async () => {
    expect(await loadError("input: a.csv\nmodell: m\n")).toMatch(
      /^UsageError reviews\.yaml:2: has no field `modell` \(known: name, input, model, /,
    );
  });

  test("by a field that does not exist further in is refused with its own line", async () => {
    expect(await loadError("input: a.csv\nlimits:\n  rpm: 60\n  tokens: 5\n")).toBe(
      "UsageError reviews.yaml:4: `limits` has no field `tokens`",
    );
  });

  test("in two ways is told of both", async () => {
    const text = await loadError("input: a.csv\nstream: maybe\non_length: retry\n");
    expect(text.split("\n").map((line) => /reviews\.yaml:\d/.exec(line)?.[0])).toEqual([
      "reviews.yaml:2",
      "reviews.yaml:3",
    ]);
  });

  test.each([
    ["empty", ""],
    ["without an input", "model: m\n"],
    ["a list", "- a\n"],
    ["a word", "hello\n"],
  ])("because it is %s is refused", async (_name, yaml) => {
    expect(await loadError(yaml)).toMatch(/^UsageError reviews\.yaml/);
  });

  test("because it is not there is refused with the way to make one", async () => {
    await expect(loadJob("/nowhere/job.yaml")).rejects.toThrow(
      "/nowhere/job.yaml: there is no such job file. `nightshift init <input>` writes one.",
    );
  });

  test("because it is a directory is refused", async () => {
    await using directory = await jobDirectory();
    const path = join(directory.path, "job.yaml");
    await mkdir(path);
    await expect(loadJob(path)).rejects.toThrow(`${path}: the job file is no regular file.`);
  });
});

test("a job in code is checked like one in a file", () => {
  const wrong = { input: "a.csv", limits: { rpm: -1 } } satisfies JobFile;
  expect(() => parseJob(wrong, () => "the job")).toThrow(/^the job: `limits\.rpm` /);
});

test("a job file is told from an input by its ending", () => {
  const paths = ["a.yaml", "b.YML", "c.csv", "yaml", "d.yaml.gz"];
  expect(paths.filter(isJobFile)).toEqual(["a.yaml", "b.YML"]);
});
