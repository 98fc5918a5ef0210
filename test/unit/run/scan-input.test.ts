import { createHash } from "node:crypto";
import { appendFile } from "node:fs/promises";

import { describe, expect, it } from "vitest";

import { hashOf } from "../../../src/input/duplicates.ts";
import type { Item } from "../../../src/item.ts";
import { type InputScan, lastModified, scanInput } from "../../../src/run/scan-input.ts";
import { aJob, aWorkspace, errorOf } from "./jobs.ts";

const NEVER = new AbortController().signal;

async function scan(
  name: string,
  content: string,
  changes: Parameters<typeof aJob>[0] = {},
  onItem?: (item: Item) => void,
): Promise<InputScan> {
  await using workspace = await aWorkspace();
  const input = await workspace.write(name, content);
  return await scanInput(aJob({ input, ...changes }), NEVER, onItem);
}

/** A CSV of so many records, each with an id of its own. */
function records(count: number, id: (at: number) => string = (at) => `row-${at}`): string {
  return `id,text\n${Array.from({ length: count }, (_, at) => `${id(at)},Hello\n`).join("")}`;
}

describe("the scan of an input", () => {
  it("tells what is in a CSV", async () => {
    const content = records(3);
    expect(await scan("in.csv", content)).toMatchObject({
      records: 3,
      items: 3,
      bytes: content.length,
      sha256: createHash("sha256").update(content).digest("hex"),
      columns: ["id", "text"],
      models: ["gpt-4o-mini"],
    });
  });

  it("gathers the names of all JSONL records, in order of appearance", async () => {
    const lines = '{"text":"a","x":1}\n{"text":"b","y":2,"x":3}\n{"text":"c","z":4}\n';
    expect((await scan("in.jsonl", lines)).columns).toEqual(["text", "x", "y", "z"]);
  });

  it("warns once of what the job says in vain, at the first line of each kind", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const batch = (id: string): object => ({ custom_id: id, body: { model: "gpt-4o", messages } });
    const lines = [{ id: "a", text: "Hello" }, batch("b"), batch("c"), { id: "d", messages }];
    const content = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    expect((await scan("in.jsonl", content, { params: { max_tokens: 5 } })).warnings).toEqual([
      "in.jsonl: line 2 is an OpenAI Batch line, which is sent as it is: " +
        "what the job says of model, params and messages (the prompt) does not count for it",
      "in.jsonl: line 4 is a request with messages of its own: " +
        "what the job says of messages (the prompt) does not count for it",
    ]);
    const silent = { model: null, messages: null };
    expect((await scan("in.jsonl", `${JSON.stringify(batch("b"))}\n`, silent)).warnings).toEqual(
      [],
    );
  });

  it("warns of a param that is nearly a well-known one", async () => {
    const { warnings } = await scan("in.csv", records(1), { params: { max_token: 5, top_k: 1 } });
    expect(warnings).toEqual(["params: `max_token` is sent as it is. Did you mean `max_tokens`?"]);
  });

  it("gathers the models that are asked", async () => {
    const line = (model: string): string => `{"model":"${model}","messages":[]}\n`;
    const { models } = await scan("in.jsonl", line("a") + line("b") + line("a"));
    expect(models).toEqual(["a", "b"]);
  });

  it("refuses an item whose answer nothing bounds where the budget needs a bound, with its line", async () => {
    const line = (fields: object): string => `${JSON.stringify({ messages: [], ...fields })}\n`;
    const lines = line({ max_tokens: 50 }) + line({});
    for (const limit of [{ usd: 5 }, { tokens: 5 }]) {
      const budget = { usd: null, tokens: null, requests: null, ...limit };
      expect(await errorOf(scan("in.jsonl", lines, { budget }))).toMatch(
        /^UsageError: .*in\.jsonl:2: the request sets no max_tokens.*--param max_tokens/,
      );
      expect((await scan("in.jsonl", lines, { budget, first: 1 })).items).toBe(1);
    }
    const requests = { usd: null, tokens: null, requests: 5 };
    expect((await scan("in.jsonl", lines, { budget: requests })).items).toBe(2);
  });

  it("compares requests only where they are to be shared, and tells repeats", async () => {
    const repeats: boolean[] = [];
    await using workspace = await aWorkspace();
    const input = await workspace.write("in.csv", "id,text\na,Hello\nb,Bye\nc,Hello\n");
    const { requests, warnings } = await scanInput(
      aJob({ input, dedupe: true }),
      NEVER,
      (_item, request) => repeats.push(request?.isRepeat ?? false),
    );
    expect([requests?.size, requests?.distinct]).toEqual([3, 2]);
    expect([repeats, warnings]).toEqual([[false, false, true], []]);
    expect((await scanInput(aJob({ input }), NEVER)).requests).toBeNull();
  });

  it("warns once where shared answers would have differed", async () => {
    const lines = '{"text":"a"}\n{"text":"b"}\n{"text":"a"}\n{"text":"a"}\n';
    const warm = { params: { temperature: 0.7 }, dedupe: true };
    expect((await scan("in.jsonl", lines, warm)).warnings).toEqual([
      expect.stringContaining("2 items share the answer of another, though at temperature 0.7"),
    ]);
    const distinct = '{"text":"a"}\n{"text":"b"}\n';
    expect((await scan("in.jsonl", distinct, warm)).warnings).toEqual([]);
    expect((await scan("in.jsonl", lines, { ...warm, params: {} })).warnings).toEqual([]);
  });

  it("tells the most that any item may use where there is a budget", async () => {
    const budget = { usd: null, tokens: 5_000, requests: null };
    const line = (most: number, text: string): string =>
      `${JSON.stringify({ messages: [{ content: text }], max_tokens: most })}\n`;
    const lines = line(50, "short") + line(20, "x".repeat(1_000));
    const { largest } = await scan("in.jsonl", lines, { budget });
    expect(largest?.completion).toBe(50);
    expect(largest?.prompt).toBeGreaterThan(1_000);
    expect((await scan("in.jsonl", lines)).largest).toBeNull();
  });

  it("counts all records, and of the items the first n", async () => {
    const seen: number[] = [];
    const { records: all, items } = await scan("in.csv", records(1_000), { first: 5 }, (item) =>
      seen.push(item.index),
    );
    expect([all, items, seen]).toEqual([1_000, 5, [0, 1, 2, 3, 4]]);
  });

  it("counts no more items than there are", async () => {
    expect((await scan("in.csv", records(3), { first: 5 })).items).toBe(3);
  });

  it("gathers the models of the first n alone", async () => {
    const line = (model: string): string => `{"model":"${model}","messages":[]}\n`;
    expect((await scan("in.jsonl", line("a") + line("b"), { first: 1 })).models).toEqual(["a"]);
  });

  it("refuses an id that was used before, however far apart, and names both lines", async () => {
    const content = records(60_000, (at) => (at === 59_000 ? "row-17" : `row-${at}`));
    expect(await errorOf(scan("in.csv", content))).toMatch(
      /^UsageError: .*in\.csv:59002: the id "row-17" was used on line 19 already/,
    );
  });

  it("refuses an id that is used again behind the first n: the trial would go on to it", async () => {
    const content = records(10, (at) => (at === 9 ? "row-1" : `row-${at}`));
    expect(await errorOf(scan("in.csv", content, { first: 5 }))).toMatch(/in\.csv:11: the id/);
  });

  it("does not take different ids with one hash for the same", async () => {
    const ids = ["q|a~aA", "gqjtn\uA234"];
    expect(new Set(ids.map(hashOf)).size).toBe(1);
    const lines = ids.map((id) => `${JSON.stringify({ id, text: "Hello" })}\n`).join("");
    expect((await scan("in.jsonl", lines)).records).toBe(2);
  });

  it("refuses a real duplicate behind a pair with one hash", async () => {
    const ids = ["q|a~aA", "gqjtn\uA234", "q|a~aA"];
    const lines = ids.map((id) => `${JSON.stringify({ id, text: "Hello" })}\n`).join("");
    expect(await errorOf(scan("in.jsonl", lines))).toMatch(
      /in\.jsonl:3: the id "q\|a~aA" was used on line 1 already/,
    );
  });

  it("refuses an unknown column", async () => {
    expect(await errorOf(scan("in.csv", "id,txt\n1,Hello\n"))).toMatch(/unknown column `text`/);
  });

  it("refuses a JSONL line that is no JSON, with its number", async () => {
    const lines = `${'{"text":"Hello"}\n'.repeat(700)}oops\n`;
    expect(await errorOf(scan("in.jsonl", lines))).toMatch(/^UsageError: .*in\.jsonl:701\b/);
  });
});

describe("the warning that all items ask the same", () => {
  const fixed = { messages: [{ role: "user" as const, content: "Classify the text." }] };

  it("is given where the prompt uses no column, with how many would be paid for", async () => {
    expect((await scan("in.csv", records(200), fixed)).warnings).toEqual([
      "in.csv: all 200 items will ask the same, and each is paid for: the prompt names no column whose values differ",
    ]);
  });

  it("is given where whole requests are the same", async () => {
    const line = '{"model":"a","messages":[{"role":"user","content":"Hi"}]}\n';
    const { warnings } = await scan("in.jsonl", line.repeat(2), { messages: null });
    expect(warnings).toEqual([
      "in.jsonl: all 2 items will ask the same, and each is paid for: the requests do not differ",
    ]);
  });

  it.each([
    ["for a single item", records(1), fixed],
    ["for a trial of one", records(9), { ...fixed, first: 1 }],
    ["where one of them differs", `${records(9)}last,Bye\n`, {}],
  ])("is not given %s", async (_case, content, changes) => {
    expect((await scan("in.csv", content, changes)).warnings).toEqual([]);
  });
});

describe("the mark of a file's last change", () => {
  it("stays while nothing is written, and changes when something is", async () => {
    await using workspace = await aWorkspace();
    const path = await workspace.write("in.csv", records(1));
    const before = await lastModified([path]);
    expect(await lastModified([path])).toBe(before);
    await appendFile(path, "more,Hello\n");
    expect(await lastModified([path])).not.toBe(before);
  });

  it("is empty when the file is gone", async () => {
    await using workspace = await aWorkspace();
    expect(await lastModified([`${workspace.path}/gone.csv`])).toBe("");
  });
});
