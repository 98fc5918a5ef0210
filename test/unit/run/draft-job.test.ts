import { stringify } from "csv-stringify/sync";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { loadJob } from "../../../src/job/load.ts";
import { resolveJob } from "../../../src/job/resolve.ts";
import type { JobFile } from "../../../src/job/schema.ts";
import { draftJob } from "../../../src/run/draft-job.ts";
import { readItems } from "../../../src/run/read-items.ts";
import { aWorkspace } from "./jobs.ts";

/** The draft's text for an input, and what it says once it is read as a job file. */
async function drafted(
  name: string,
  content: string,
  options: Parameters<typeof draftJob>[2] = {},
): Promise<{ text: string; job: JobFile; firstBody: string | undefined }> {
  await using workspace = await aWorkspace();
  const input = await workspace.write(name, content);
  const place = { name: "nightly", input: name, runs: "../runs", schema: "../job.schema.json" };
  const text = await draftJob(input, place, options);
  const { job, where } = await loadJob(await workspace.write("job.yaml", text));
  const source = await readItems(resolveJob(job, {}, where));
  let firstBody: string | undefined;
  for await (const [first] of source.batches()) {
    firstBody = first?.item.body;
    break;
  }
  return { text, job: { ...job, input: job.input.slice(workspace.path.length + 1) }, firstBody };
}

describe("a drafted job file", () => {
  it("names input, model, prompt and bounds", async () => {
    const { job } = await drafted("reviews.csv", "review_id,stars,text\n7,5,Fine\n");
    expect(job).toEqual({
      name: "nightly",
      input: "reviews.csv",
      model: "gpt-4o-mini",
      messages: [
        { role: "system", content: "You are a professional AI assistant." },
        { role: "user", content: "Summarize in one sentence: {{ text }}" },
      ],
      params: { temperature: 0, max_tokens: 200 },
      id: "{{ review_id }}",
    });
  });

  it("shows the columns with the first record's values, shortened", async () => {
    const { text } = await drafted("in.csv", `id,text\n7,${"long ".repeat(50)}\n`);
    expect(text).toContain('#   {{ id }}  "7"\n');
    expect(text).toMatch(/# {3}\{\{ text \}\} {2}"long (long )+.{0,4}…\n/);
  });

  it.each([
    ["评论", "编号,评论,时间\n1,好,今天\n"],
    ["Content", "Content,stars\nGood,5\n"],
    ["b", "a,b,c\n1,the longest,3\n"],
  ])("asks about the column `%s`", async (column, content) => {
    const { job } = await drafted("in.csv", content);
    expect(job.messages?.[1]?.content).toContain(`{{ ${column} }}`);
  });

  it.each([
    ["custom_id", "custom_id,sku,text\nx,1,Hello\n"],
    ["id", "id,sku,text\nx,1,Hello\n"],
  ])("leaves the id to the column `%s`", async (_column, content) => {
    expect((await drafted("in.csv", content)).job.id).toBeUndefined();
  });

  it.each(["review_id", "Nr", "Nr.", "review id", "reviewId", "订单编号", "SKU", "ID"])(
    "takes the column `%s` for the id where its values differ",
    async (column) => {
      const { job } = await drafted("in.csv", `text,${column}\nA,1\nB,2\n`);
      expect(job.id).toContain(column);
    },
  );

  it.each([
    ["twice", "review_id,text\n1,A\n1,B\n"],
    ["empty", "review_id,text\n1,A\n,B\n"],
  ])("only proposes a column as the id that has a value %s", async (_why, content) => {
    const { job, text } = await drafted("in.csv", content);
    expect(job.id).toBeUndefined();
    expect(text).toMatch(/^# id: "\{\{ review_id \}\}".*do not all differ$/m);
  });

  it("passes over a column whose values repeat for one whose do not", async () => {
    const { job } = await drafted("in.csv", "product_id,review_id,text\n7,1,A\n7,2,B\n");
    expect(job.id).toBe("{{ review_id }}");
  });

  it.each(["paid", "grid", "piano", "monkey"])("takes `%s` for no id", async (column) => {
    expect((await drafted("in.csv", `text,${column}\nA,1\n`)).text).not.toContain(
      `id: "{{ ${column}`,
    );
  });

  it("leaves the id to the record's number where no column looks like one", async () => {
    const { job, text } = await drafted("in.csv", "stars,text\n5,Hello\n");
    expect(job.id).toBeUndefined();
    expect(text).toMatch(/^# id: /m);
  });

  it("asks nothing of its own where the lines are requests", async () => {
    const line = { messages: [{ role: "user", content: "Hi" }] };
    const { job } = await drafted("in.jsonl", `${JSON.stringify(line)}\n`);
    expect(job.messages).toBeUndefined();
  });

  it.each([
    [{ model: "gpt-4o", messages: [] }, {}],
    [{ messages: [] }, { model: "gpt-4o-mini" }],
  ])("says nothing that does not count where the lines are a batch: %j", async (body, said) => {
    const line = { custom_id: "a", url: "/v1/chat/completions", body };
    const { job, text } = await drafted("in.jsonl", `${JSON.stringify(line)}\n`);
    expect(job).toEqual({ name: "nightly", input: "in.jsonl", ...said });
    expect(text).toMatch(/^# .*OpenAI Batch lines, which are sent as they are/m);
  });

  it("leads to the schema and to the runs from its own place", async () => {
    const { text } = await drafted("in.csv", "id,text\n1,A\n");
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/job\.schema\.json\n/);
    expect(text).toContain('# out: "../runs/{{ name }}-{{ date }}"\n');
  });

  it("takes a record whose `body` is empty for a record", async () => {
    const { job } = await drafted("in.jsonl", '{"title":"Hello","body":null}\n');
    expect(job.messages?.[1]?.content).toContain("{{ body }}");
  });

  it("names the encoding that the input was read in", async () => {
    const { job } = await drafted("in.csv", "text\nHello\n", { encoding: "gb18030" });
    expect(job.encoding).toBe("gb18030");
  });

  it("names the delimiter that separates the columns", async () => {
    const { job } = await drafted("in.csv", "id;text\n1;Hello\n", { delimiter: ";" });
    expect(job.delimiter).toBe(";");
    expect(job.messages?.[1]?.content).toContain("{{ text }}");
  });

  it("is a job that runs, whatever the columns are called", async () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 12 }),
      fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
      fc.constantFrom(
        "text",
        "a b",
        "it's",
        'say "x"',
        "a: b",
        "# no",
        "nil",
        "a\nb",
        "{{ x }}",
        "%}",
      ),
    );
    // What a CSV reader changes or refuses is another test's matter.
    const header = fc
      .uniqueArray(name, { minLength: 1, maxLength: 5 })
      .filter((names) =>
        names.every((name) => name.trim() === name && /^[^\r\uFEFF\uD800-\uDFFF\0]+$/.test(name)),
      )
      .map((names) => [...names, "last"]);
    await fc.assert(
      fc.asyncProperty(header, async (names) => {
        fc.pre(new Set(names).size === names.length);
        const values = names.map((_, at) => `value ${at}`);
        const { job, firstBody } = await drafted("in.csv", stringify([names, values]));
        expect(firstBody).toMatch(/value \d/);
        expect(job.input).toBe("in.csv");
      }),
      { numRuns: 25 },
    );
  });
});
