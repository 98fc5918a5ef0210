import { describe, expect, it } from "vitest";

import { readItems, type RecordItem } from "../../../src/run/read-items.ts";
import { aJob, aWorkspace, errorOf } from "./jobs.ts";

async function read(
  name: string,
  content: string,
  changes: Parameters<typeof aJob>[0] = {},
): Promise<{ columns: readonly string[] | null; items: RecordItem[] }> {
  await using workspace = await aWorkspace();
  const source = await readItems(aJob({ input: await workspace.write(name, content), ...changes }));
  const items: RecordItem[] = [];
  for await (const batch of source.batches()) items.push(...batch);
  return { columns: source.columns, items };
}

describe("the reading of items", () => {
  it("makes a CSV's records into requests, numbered from 0", async () => {
    const { columns, items } = await read("in.csv", "id,text\na,Hello\nb,Bye\n");
    expect(columns).toEqual(["id", "text"]);
    expect(items.map(({ item }) => [item.index, item.customId, item.model])).toEqual([
      [0, "a", "gpt-4o-mini"],
      [1, "b", "gpt-4o-mini"],
    ]);
    expect(JSON.parse(items[0]?.item.body ?? "")).toEqual({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: "Say Hello" }],
    });
  });

  it("keeps each record beside its item", async () => {
    const { items } = await read("in.csv", "id,text\na,Hello\n");
    expect(items[0]?.record).toMatchObject({ index: 0, line: 2, source: ["a", "Hello"] });
  });

  it("reads in the job's encoding", async () => {
    const { items } = await read("in.jsonl", '{"text":"hi"}\n', { encoding: "latin1" });
    expect(items).toHaveLength(1);
  });

  it("refuses an unknown column before any record is read, and says which there are", async () => {
    const error = await errorOf(
      read("in.csv", "id,txt\na,Hello\n", { messages: [{ role: "user", content: "{{ text }}" }] }),
    );
    expect(error).toMatch(/^UsageError: job\.yaml: .*unknown column `text`.*`id`, `txt`/);
  });

  it("names file and line of a record that is no request", async () => {
    const lines = '{"text":"one"}\n\n{"custom_id":null,"text":"two"}\n';
    expect(await errorOf(read("in.jsonl", lines))).toMatch(
      /^UsageError: .*in\.jsonl:3: `custom_id` is null/,
    );
  });

  it("names file and line of a line that is no JSON", async () => {
    const lines = '{"text":"one"}\n{"text":\n';
    expect(await errorOf(read("in.jsonl", lines))).toMatch(/^UsageError: .*in\.jsonl:2\b/);
  });

  it("shows the input's bytes as they are", async () => {
    await using workspace = await aWorkspace();
    const content = "id,text\na,评论\n";
    const input = await workspace.write("in.csv", content);
    const chunks: Buffer[] = [];
    const source = await readItems(aJob({ input }), { onBytes: (chunk) => chunks.push(chunk) });
    for await (const _batch of source.batches());
    expect(Buffer.concat(chunks).toString()).toBe(content);
  });

  it("ends with the signal", async () => {
    await using workspace = await aWorkspace();
    const input = await workspace.write("in.csv", `text\n${"Hello\n".repeat(200_000)}`);
    const stop = new AbortController();
    const reason = new Error("the run ends");
    const reading = (async () => {
      const source = await readItems(aJob({ input }), { signal: stop.signal });
      for await (const _batch of source.batches()) stop.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
});
