import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, it } from "vitest";

import type { Exit } from "./support/process.ts";
import { describeOnEachQueue } from "./support/queues.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 300;
/** Values that a careless reader or writer would change. */
const AWKWARD = [
  "plain",
  "comma, and; semicolon",
  'a "quoted" word',
  "two\nlines",
  "two\r\nlines",
  "  spaces around  ",
  "你好，世界 😀",
  "=1+1",
  "007",
  "{{ not_a_template }} <b>&amp;</b>",
  "",
];

const rows = upTo(ITEMS).map((index) => ({
  review_id: `r${index}`,
  text: `${index} ${AWKWARD[index % AWKWARD.length]}`,
  completion: AWKWARD[index % AWKWARD.length] ?? "",
}));
const csv = [["review_id", "text", "completion"], ...rows.map((row) => Object.values(row))]
  .map((values) => values.map((value) => `"${value.replaceAll('"', '""')}"`).join(","))
  .join("\n");
const JOB = `
input: reviews.csv
model: gpt-4o-mini
messages:
  - { role: user, content: "Classify: {{ text }}" }
id: "{{ review_id }}"
params: { temperature: 0 }
out: run
`;

describeOnEachQueue((queue) => {
  let world: World;
  let run: RunDirectory;
  let exit: Exit;

  beforeAll(async () => {
    world = await World.open({ latency: { ttftMs: 5, jitter: 0.5 } }, queue);
    await world.write("reviews.csv", csv);
    await world.write("reviews.yaml", JOB);
    exit = await world.nightshift(["run", "reviews.yaml"]);
    run = new RunDirectory(world.path("run"));
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("exits 0, tells the summary on stderr and leaves stdout alone", () => {
    expect([exit.code, exit.stdout, exit.stderr]).toEqual([
      0,
      "",
      expect.stringContaining("✔ finished"),
    ]);
  });

  it("leaves exactly the promised files", async () => {
    expect(await run.files()).toEqual([
      "errors.jsonl",
      "output.csv",
      "results.jsonl",
      "run.json",
      "run.log",
      "usage.json",
    ]);
  });

  it("records each item once", async () => {
    expect(await run.ended()).toEqual(upTo(ITEMS));
  });

  it("writes OpenAI Batch output lines", async () => {
    const { run_id: runId } = await run.manifest();
    const line = (await run.results()).find(({ index }) => index === 17);
    expect(line).toMatchObject({
      id: `batch_req_${runId}_17`,
      custom_id: "r17",
      response: {
        status_code: 200,
        request_id: expect.any(String) as string,
        body: { object: "chat.completion", usage: { total_tokens: expect.any(Number) as number } },
      },
      error: null,
      nightshift: { attempts: 1, ms: expect.any(Number) as number, possibly_billed: 0 },
    });
  });

  it("names the gateway's own id of each call", async () => {
    const named = (await run.results()).map(({ response }) => response?.request_id);
    expect(new Set(named)).toEqual(new Set(world.gateway.ledger().map(({ id }) => id)));
  });

  it("joins each answer to its own record, in input order, with the original untouched", async () => {
    const output = parse<Record<string, string>>(await run.text("output.csv"), { columns: true });
    expect(
      output.map(({ review_id, text, completion, nightshift_completion: answer }) => ({
        row: { review_id, text, completion },
        answer,
      })),
    ).toEqual(rows.map((row) => ({ row, answer: `echo: Classify: ${row.text}` })));
  });

  it("adds its columns behind the original ones, and renames the one that is taken", async () => {
    const [header] = parse(await run.text("output.csv"));
    expect(header).toEqual([
      "review_id",
      "text",
      "completion",
      "nightshift_completion",
      "finish_reason",
      "prompt_tokens",
      "completion_tokens",
      "total_tokens",
      "error",
    ]);
  });

  it("counts usage to the token as the gateway bills it", async () => {
    const calls = world.gateway.ledger();
    const prompt = calls.reduce((sum, call) => sum + call.promptTokens, 0);
    const completion = calls.reduce((sum, call) => sum + call.completionTokens, 0);
    expect(await run.usage()).toMatchObject({
      usage: {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
      },
      models: { "gpt-4o-mini": { items: ITEMS, total_tokens: prompt + completion } },
      items: { total: ITEMS, completed: ITEMS, failed: 0, pending: 0 },
      attempts: ITEMS,
      retries: {},
      possibly_billed: 0,
    });
  });

  it("says in run.json that it finished, over which input", async () => {
    expect(await run.manifest()).toMatchObject({
      state: "finished",
      reason: null,
      items: ITEMS,
      input: { path: world.path("reviews.csv"), bytes: Buffer.byteLength(csv) },
    });
  });

  it("passes its own verification", async () => {
    const verified = await world.nightshift(["verify", "run"]);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("is whole")]);
  });

  if (queue === "redis")
    it("leaves nothing behind in Redis but the account's limits, for an hour", async () => {
      const redis = world.redis?.connect();
      const keys = (await redis?.keys("*")) ?? [];
      const seconds = await redis?.ttl(keys[0] ?? "");
      redis?.disconnect();
      expect(keys).toEqual([expect.stringMatching(/^nightshift:\{account:[0-9a-f]{16}\}:share$/)]);
      expect(seconds).toBeGreaterThan(3_500);
    });

  it("leaves no temporary files behind but Node's cache of compiled code", async () => {
    expect(await new RunDirectory(world.path("tmp")).files()).toEqual(["node-compile-cache"]);
  });
});
