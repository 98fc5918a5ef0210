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
      /^UsageError reviews\.yaml:4: `limits\.concurrency` must be at least 1, and is 0$/,
    );
  });

  test("in a message is refused with its line and place in the list", async () => {
    const yaml =
      "input: a.csv\nmessages:\n  - role: user\n    content: hi\n  - role: bot\n    content: x\n";
    expect(await loadError(yaml)).toMatch(/^UsageError reviews\.yaml:5: `messages\[1\]\.role` /);
  });

  test("in a duration is told how to write one", async () => {
    expect(await loadError("input: a.csv\ntimeout: 1 minute\n")).toBe(
      'UsageError reviews.yaml:2: `timeout` is no duration: write one such as "60s", "10m" or "24h"',
    );
  });

  test("by a field that does not exist is refused with its line and the fields that do", async () => {
    expect(await loadError("input: a.csv\nmodell: m\n")).toMatch(
      /^UsageError reviews\.yaml:2: has no field `modell`\. Did you mean `model`\?$/,
    );
  });

  test("by a field that does not exist further in is refused with its own line", async () => {
    expect(await loadError("input: a.csv\nlimits:\n  rpm: 60\n  tokens: 5\n")).toMatch(
      /^UsageError reviews\.yaml:4: `limits` has no field `tokens`\. It knows concurrency, rpm, /,
    );
  });

  test("by a param that has a place of its own is refused with its line", async () => {
    expect(await loadError("input: a.csv\nparams:\n  temperature: 0\n  model: m\n")).toBe(
      "UsageError reviews.yaml:4: `params.model` belongs in `model` of the job, or in --model",
    );
  });

  test.each([
    ["concurency: 5", "has no field `concurency`. Did you mean `concurrency` in `limits`?"],
    ["temperature: 0", "what else the request holds in `params`."],
    ["prompt: Hi", "The prompt belongs in `messages`"],
    [
      "api_key: sk-1",
      "has no field `api_key`. A key never stands in a file that is shared: set NIGHTSHIFT_API_KEY",
    ],
    ["limits: { rps: 5 }", "`limits` has no field `rps`. Did you mean `rpm`?"],
    ["limits: 5", "`limits` must be a group of fields (`name: value`), and is 5"],
    ["limits: { rpm: many }", '`limits.rpm` must be a number, and is the text "many"'],
    ["limits: { rpm: '60' }", 'is the text "60": write it without quotes'],
    ["limits: { rpm: 0 }", "`limits.rpm` must be above 0, and is 0"],
    ["model: 4", '`model` must be text, and is 4: write "4" in quotes'],
    ["model:", "`model` must be text, and is empty"],
    ["stream: yes", '`stream` must be true or false, and is the text "yes"'],
    ["messages: Hi", "`messages` must be a list"],
    ["messages: []", "`messages` must not be empty"],
    ["messages: [{ role: user }]", "`messages[0].content` is missing"],
    ["messages: [{ role: users, content: Hi }]", "Did you mean user?"],
    ["messages: [{ role: user, content: [Hi] }]", "is neither text nor a list of content parts"],
    ["messages: [{ role: user, content: {{ text }} }]", 'needs quotes: write "{{ … }}"'],
    ["pricing: { input: cheap, output: 1 }", "`pricing` is no price: write { input:"],
    ['delimiter: "\\t"', 'must be one of ",", ";", "|", "tab"'],
  ])("by %j is told what was found and what to write", async (yaml, message) => {
    const text = await loadError(`input: a.csv\n${yaml}\n`);
    expect(text).toMatch(/^UsageError reviews\.yaml:2: /);
    expect(text).toContain(message);
  });

  test.each([
    ["limits:\n\trpm: 5", "2:1: a tab indents this line. Indent with spaces"],
    ["model: Say: it", '1:8: there is a colon where none can be. Put a value that holds ": " in'],
    ["model: {{ x }} y", "1:16: more text follows where the value has ended. Put the whole value"],
    ["model:m\nid: x", "1:1: this is no field. Write `name: value`"],
    ["model: m\n---\nid: x", "2:1: a second job begins here."],
    ["model: m\nmodel: n", "2:1: `model` is there twice."],
    ["limits: { rpm: 1, rpm: 2 }", "1:19: `rpm` is there twice."],
    ['id: a\n"id" : b', "2:1: `id` is there twice."],
    ["model: @m", "1:8: no value begins with this sign. Put it in quotes."],
    [
      "messages:\n  - role: user\n   content: x",
      "3:1: Sequence item without - indicator. Check the",
    ],
    ["model: *m", "Put a value that begins with * or & in quotes."],
  ])("in the YAML of %j is told where and what to do", async (yaml, message) => {
    expect(await loadError(`${yaml}\n`)).toContain(message);
  });

  test("by a group of fields is refused with the line of its name", async () => {
    expect(await loadError("input: a.csv\nlimit:\n  rpm: 60\n")).toBe(
      "UsageError reviews.yaml:2: has no field `limit`. Did you mean `limits`?",
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
