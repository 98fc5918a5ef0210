import { afterAll, beforeAll, expect, it } from "vitest";

import { World } from "./support/world.ts";

interface Case {
  readonly problem: string;
  readonly files?: Readonly<Record<string, string>>;
  /** After `run`. */
  readonly args: readonly string[];
  /** What the message says: the place, the finding and the way out. */
  readonly says: readonly string[];
}

const FLAGS = ["--model", "gpt-4o-mini", "--prompt", "{{ text }}"];
const JOB =
  "input: good.csv\nmodel: gpt-4o-mini\nmessages:\n  - { role: user, content: '{{ text }}' }\n";

const CASES: readonly Case[] = [
  { problem: "a missing input", args: ["none.csv", ...FLAGS], says: ["none.csv: no such file"] },
  { problem: "a missing job file", args: ["none.yaml"], says: ["none.yaml", "nightshift init"] },
  {
    problem: "an empty file",
    files: { "empty.csv": "" },
    args: ["empty.csv", ...FLAGS],
    says: ["empty.csv: the file is empty"],
  },
  {
    problem: "a ragged CSV",
    files: { "ragged.csv": "id,text\n1,one\n2,two,three\n" },
    args: ["ragged.csv", ...FLAGS],
    says: ["ragged.csv:3: found 3 values where the header has 2"],
  },
  {
    problem: "an encoding that nobody knows",
    files: { "latin.csv": "id,text\n1,x\n" },
    args: ["latin.csv", ...FLAGS, "--encoding", "klingon"],
    says: ["--encoding klingon: unknown encoding"],
  },
  {
    problem: "an id that is there twice",
    files: { "twice.csv": "id,text\na,one\nb,two\na,three\n" },
    args: ["twice.csv", ...FLAGS],
    says: ['twice.csv:4: the id "a" was used on line 2 already'],
  },
  {
    problem: "an unknown column in the prompt",
    args: ["good.csv", "--model", "gpt-4o-mini", "--prompt", "{{ texte }}"],
    says: ["unknown column `texte`", "Did you mean {{ text }}?"],
  },
  {
    problem: "a field that only some JSON records have",
    files: { "some.jsonl": '{"text":"one"}\n{"txt":"two"}\n' },
    args: ["some.jsonl", ...FLAGS],
    says: ["some.jsonl:2:", "text"],
  },
  {
    problem: "a line that is no JSON",
    files: { "broken.jsonl": '{"text":"one"}\n{"text":"two"\n' },
    args: ["broken.jsonl", ...FLAGS],
    says: ["broken.jsonl:2: not valid JSON"],
  },
  {
    problem: "a batch line for another endpoint",
    files: {
      "embed.jsonl":
        '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":"x"}}\n',
    },
    args: ["embed.jsonl", ...FLAGS],
    says: ["embed.jsonl:1:", "/v1/embeddings", "Only /v1/chat/completions"],
  },
  {
    problem: "a file of an unknown kind",
    files: { "book.xlsx": "x" },
    args: ["book.xlsx", ...FLAGS],
    says: ["book.xlsx: unknown kind of input", ".csv"],
  },
  {
    problem: "a directory",
    files: { "inbox/a.csv": "id,text\n1,one\n" },
    args: ["inbox", ...FLAGS],
    says: ["inbox is a directory", "'inbox/*.csv' in quotes"],
  },
  { problem: "no prompt", args: ["good.csv", "--model", "gpt-4o-mini"], says: ["--prompt"] },
  {
    problem: "a template that is no Liquid",
    args: ["good.csv", "--model", "gpt-4o-mini", "--prompt", "{% if text %}"],
    says: ["messages[0].content", "not closed"],
  },
  {
    problem: "an unknown field of the job",
    files: { "typo.yaml": `${JOB}modle: gpt-4o\n` },
    args: ["typo.yaml"],
    says: ["typo.yaml:5:", "`modle`"],
  },
  {
    problem: "a field of the wrong type",
    files: { "type.yaml": `${JOB}limits:\n  concurrency: many\n` },
    args: ["type.yaml"],
    says: ["type.yaml:6:", "limits.concurrency"],
  },
  {
    problem: "a param without a value",
    args: ["good.csv", ...FLAGS, "--param", "temperature"],
    says: ["--param", "key=value"],
  },
  {
    problem: "the model as a param",
    args: ["good.csv", ...FLAGS, "--param", "model=gpt-4o"],
    says: ["param `model`", "--model"],
  },
  {
    problem: "a CSV of semicolons",
    files: { "german.csv": "id;text\n1;one, two\n" },
    args: ["german.csv", ...FLAGS],
    says: ["german.csv:1: the header is a single column", "--delimiter ';'"],
  },
  {
    problem: "a directory that cannot be made",
    args: ["good.csv", ...FLAGS, "--out", "good.csv/run"],
    says: ["good.csv/run cannot be made", "--out"],
  },
  {
    problem: "concurrency 0",
    args: ["good.csv", ...FLAGS, "--concurrency", "0"],
    says: ["--concurrency"],
  },
  {
    problem: "an unknown flag",
    args: ["good.csv", ...FLAGS, "--modell", "x"],
    says: ["--modell", "--model"],
  },
  {
    problem: "a key as a flag",
    args: ["good.csv", ...FLAGS, "--api-key", "sk-1"],
    says: ["--api-key"],
  },
  {
    problem: "--no-worker without Redis",
    args: ["good.csv", ...FLAGS, "--no-worker"],
    says: ["--no-worker", "--redis"],
  },
  {
    problem: "a Redis that is not there",
    args: ["good.csv", ...FLAGS, "--redis", "redis://:secret@127.0.0.1:1"],
    says: ["Redis at redis://127.0.0.1:1 does not answer", "--redis"],
  },
  {
    problem: "a base URL that is none",
    args: ["good.csv", ...FLAGS, "--base-url", "1688token.ai"],
    says: ["no http(s) address"],
  },
];

let world: World;
beforeAll(async () => {
  world = await World.open();
  await world.write("good.csv", "id,text\n1,one\n2,two\n");
});
afterAll(() => world[Symbol.asyncDispose]());

it.each(CASES)(
  "$problem: exit 1, a message that helps, and no call",
  async ({ files = {}, args, says }) => {
    for (const [name, content] of Object.entries(files)) await world.write(name, content);
    const { code, stdout, stderr } = await world.nightshift(["run", ...args]);
    expect([code, stdout]).toEqual([1, ""]);
    for (const text of says) expect(stderr).toContain(text);
    expect(stderr).not.toMatch(/^\s+at |internal error/m);
    expect([world.gateway.stats().requests, await world.runs()]).toEqual([0, []]);
  },
);

it.each([
  { command: "status", args: ["status", "tmp"] },
  { command: "verify", args: ["verify", "tmp"] },
  { command: "export", args: ["export", "tmp"] },
])("$command of a directory that holds no run: exit 1", async ({ args }) => {
  const { code, stdout, stderr } = await world.nightshift(args);
  expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining("is no run directory")]);
});
