import { describe, expect, it } from "vitest";

import type { JobOverrides } from "../../../src/job/resolve.ts";
import type { JobFile } from "../../../src/job/schema.ts";
import { dryRun, type DryRunReport } from "../../../src/run/dry-run.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { aWorkspace, errorOf } from "./jobs.ts";

const NEVER = new AbortController().signal;
const PLACE = {
  baseUrl: "http://gateway.test/v1",
  workingDirectory: "/srv",
  clock: new FakeClock(),
};
const PRICING = { input: 1_000_000, output: 2_000_000 };

async function report(
  content: string,
  job: Partial<JobFile> = {},
  overrides: JobOverrides = {},
): Promise<DryRunReport> {
  await using workspace = await aWorkspace();
  const target: JobFile = {
    input: await workspace.write("in.jsonl", content),
    model: "mine",
    messages: [{ role: "user", content: "{{ text }}" }],
    ...job,
  };
  return await dryRun(target, overrides, PLACE, NEVER);
}

/** Records of twelve ASCII characters: three tokens, and four for the message. */
function records(count: number): string {
  return `${JSON.stringify({ text: "abcdefghijkl" })}\n`.repeat(count);
}

describe("a dry run", () => {
  it("counts records, items and the tokens of the prompts", async () => {
    expect(await report(records(10), {}, { first: 4 })).toMatchObject({
      records: 10,
      items: 4,
      prompt_tokens: 28,
      models: [{ model: "mine", items: 4, prompt_tokens: 28, most_completion_tokens: null }],
    });
  });

  it("refuses what no directory can be named by", async () => {
    expect(await errorOf(report(records(1), { out: "runs/{{ weekday }}" }))).toContain(
      "the job: out: unknown placeholder {{ weekday }}",
    );
  });

  it("shows the first three requests as they would be sent", async () => {
    const { samples } = await report(records(5), { params: { temperature: 0 } });
    expect(samples.map(({ custom_id: id }) => id)).toEqual(["0", "1", "2"]);
    expect(samples[0]?.body).toEqual({
      model: "mine",
      messages: [{ role: "user", content: "abcdefghijkl" }],
      temperature: 0,
    });
  });

  it("says which items share an answer, and what that saves", async () => {
    const job = { params: { max_tokens: 100 }, pricing: PRICING, dedupe: true };
    const found = await report(`${JSON.stringify({ text: "another text" })}\n${records(3)}`, job);
    expect(found).toMatchObject({ items: 4, prompt_tokens: 14, most_cost_usd: 414 });
    expect(found.reused).toEqual({
      new: 2,
      shared: 2,
      carried_over: 0,
      vanished: null,
      saved_prompt_tokens: 14,
      saved_prompt_cost_usd: 14,
      saved_most_cost_usd: 414,
    });
    expect((await report(records(3))).reused).toBeNull();
  });

  it("knows what the prompts cost, and what everything costs at most", async () => {
    const job = { params: { max_tokens: 100 }, pricing: PRICING };
    expect(await report(records(2), job)).toMatchObject({
      most_completion_tokens: 200,
      prompt_cost_usd: 14,
      most_cost_usd: 414,
      price_sources: { mine: "job" },
    });
  });

  it("counts a price per call for each item", async () => {
    const pricing = { input: 0, output: 0, request: 0.5 };
    expect((await report(records(2), { pricing })).prompt_cost_usd).toBe(1);
  });

  it("takes max_completion_tokens before max_tokens", async () => {
    const params = { max_tokens: 100, max_completion_tokens: 7 };
    expect((await report(records(2), { params })).most_completion_tokens).toBe(14);
  });

  it("knows no most where a request sets none, but what the prompts cost", async () => {
    const lines = '{"text":"a"}\n{"model":"mine","messages":[],"max_tokens":5}\n';
    expect(await report(lines, { pricing: PRICING })).toMatchObject({
      most_completion_tokens: null,
      prompt_cost_usd: 5,
      most_cost_usd: null,
    });
  });

  it("calls no price nothing: it is unknown", async () => {
    const job = { params: { max_tokens: 100 }, model: "nobody-knows-this-one" };
    expect(await report(records(1), job)).toMatchObject({
      prompt_cost_usd: null,
      most_cost_usd: null,
      price_sources: { "nobody-knows-this-one": null },
    });
  });

  it("tells several models apart", async () => {
    const line = (model: string): string => `{"model":"${model}","messages":[]}\n`;
    const { models } = await report(line("a") + line("b") + line("a"));
    expect(models.map(({ model, items }) => [model, items])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
  });

  it("counts content in parts, and messages without any", async () => {
    const messages = [{ role: "user", content: [{ type: "text", text: "Hello" }] }, null, {}];
    const { prompt_tokens: tokens } = await report(`${JSON.stringify({ messages })}\n`);
    expect(tokens).toBeGreaterThan(12);
  });

  it("refuses what a run would refuse", async () => {
    expect(await errorOf(report('{"id":"a","text":"x"}\n{"id":"a","text":"y"}\n'))).toMatch(
      /^UsageError: .*in\.jsonl:2: the id "a" was used on line 1 already/,
    );
  });
});
