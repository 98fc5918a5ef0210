import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { RunDirectory } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

let world: World;
beforeAll(async () => void (world = await World.open()));
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.gateway.reset());

let runs = 0;

/** Runs an input with flags; what came of it. */
async function runInput(name: string, content: string | Buffer, flags: readonly string[] = []) {
  const out = `run-${(runs += 1)}`;
  await world.write(name, content);
  const exit = await world.nightshift([
    "run",
    name,
    "--out",
    out,
    "--model",
    "gpt-4o-mini",
    ...flags,
  ]);
  expect(exit).toMatchObject({ code: 0 });
  return new RunDirectory(world.path(out));
}

const PROMPT = ["--prompt", "Classify: {{ text }}"];
const CSV = "id,text\na1,你好世界\nb2,second one\n";
const ANSWERS = [
  ["a1", "echo: Classify: 你好世界"],
  ["b2", "echo: Classify: second one"],
];

async function answers(run: RunDirectory): Promise<(string | undefined)[][]> {
  const lines = await run.results();
  return lines.sort((a, b) => a.index - b.index).map((line) => [line.custom_id, line.completion]);
}

describe("a table", () => {
  it.each([
    { name: "plain.csv", content: CSV },
    { name: "packed.csv.gz", content: gzipSync(CSV) },
    { name: "marked.csv", content: `\uFEFF${CSV}` },
    { name: "windows.csv", content: CSV.replaceAll("\n", "\r\n") },
    { name: "excel-unicode.csv", content: Buffer.from(`\uFEFF${CSV}`, "utf16le") },
    { name: "big-endian.csv", content: Buffer.from(`\uFEFF${CSV}`, "utf16le").swap16() },
  ])("is read from $name", async ({ name, content }) => {
    expect(await answers(await runInput(name, content, PROMPT))).toEqual(ANSWERS);
  });

  it("is read in an encoding that is named", async () => {
    const gb18030 = Buffer.concat([
      Buffer.from("id,text\na1,"),
      Buffer.from("c4e3bac3cac0bde7", "hex"),
      Buffer.from("\nb2,second one\n"),
    ]);
    const run = await runInput("chinese.csv", gb18030, [...PROMPT, "--encoding", "gb18030"]);
    expect(await answers(run)).toEqual(ANSWERS);
  });

  it("is read with the delimiter that is named, also by export, and comes back with it", async () => {
    const content = CSV.replaceAll(",", ";");
    const run = await runInput("german.csv", content, [...PROMPT, "--delimiter", ";"]);
    expect(await answers(run)).toEqual(ANSWERS);
    const output = await run.text("output.csv");
    expect(output).toMatch(/^id;text;completion;/);
    expect(output).toContain("\nb2;second one;echo: Classify: second one;stop;");
    expect((await world.nightshift(["export", run.path])).code).toBe(0);
    expect(await run.text("output.csv")).toBe(output);
  });

  it("comes back in UTF-8 with a byte order mark for Excel", async () => {
    const run = await runInput("excel.csv", CSV, [...PROMPT, "--csv-bom"]);
    const bytes = await readFile(`${run.path}/output.csv`);
    expect(bytes.subarray(0, 5).toString("hex")).toBe(`efbbbf${Buffer.from("id").toString("hex")}`);
  });

  it("numbers its records where no column names them", async () => {
    const run = await runInput("nameless.csv", "text\nfirst\nsecond\n", PROMPT);
    expect((await answers(run)).map(([id]) => id)).toEqual(["0", "1"]);
  });

  it("takes the names from the column that --id-column gives", async () => {
    const run = await runInput("sku.csv", "the sku,text\nx-1,first\n", [
      ...PROMPT,
      "--id-column",
      "the sku",
    ]);
    expect((await answers(run)).map(([id]) => id)).toEqual(["x-1"]);
  });
});

describe("JSON lines", () => {
  const messages = [{ role: "user", content: "Say it" }];

  it("run as OpenAI Batch lines", async () => {
    const line = {
      custom_id: "request-1",
      method: "POST",
      url: "/v1/chat/completions",
      body: { model: "gpt-4o", messages, max_tokens: 2 },
    };
    const [result] = await (await runInput("batch.jsonl", `${JSON.stringify(line)}\n`)).results();
    expect(result).toMatchObject({
      custom_id: "request-1",
      completion: "echo: Sa",
      response: { body: { model: "gpt-4o", choices: [{ finish_reason: "length" }] } },
    });
  });

  it("run as request bodies, with model and params filled in where they are absent", async () => {
    const lines = [
      { id: "own", model: "gpt-4o", max_tokens: 100, messages },
      { id: "filled", messages },
    ];
    const run = await runInput(
      "bodies.ndjson",
      lines.map((line) => JSON.stringify(line)).join("\n"),
      ["--param", "max_tokens=2"],
    );
    const results = (await run.results()).sort((a, b) => a.index - b.index);
    expect(results).toMatchObject([
      { custom_id: "own", completion: "echo: Say it", response: { body: { model: "gpt-4o" } } },
      { custom_id: "filled", completion: "echo: Sa", response: { body: { model: "gpt-4o-mini" } } },
    ]);
  });

  it("run as plain records for the templates", async () => {
    const records = '{"id":"a1","text":"你好世界"}\n\n{"text":"second one","id":"b2"}\n';
    expect(await answers(await runInput("plain.jsonl", records, PROMPT))).toEqual(ANSWERS);
  });

  it("come back with their own text in front of the answer", async () => {
    const record = '{"id":"a1",  "text":"x", "big":12345678901234567890, "half":1.50}';
    const run = await runInput("exact.jsonl", `${record}\r\n`, PROMPT);
    expect(await run.text("output.jsonl")).toMatch(
      /^\{"id":"a1", {2}"text":"x", "big":12345678901234567890, "half":1\.50,"completion":"echo: Classify: x","finish_reason":"stop",.*\}\n$/,
    );
  });
});
