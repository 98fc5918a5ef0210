// The same against a gateway that others have written: what ours and it have in common is the API.
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { mispaired, reviewsCsv, reviewsJob, reviewText } from "./support/reviews.ts";
import { RunDirectory, upTo } from "./support/run-directory.ts";
import { World } from "./support/world.ts";

const ITEMS = 20;
const KEY = "test-key-of-the-mock";
const FAULTS = [{ dropRate: 1 }, { malformedRate: 1 }, { disconnectRate: 1 }, { rateLimitRate: 1 }];

let world: World;
const mock = new LLMock({ port: 0, auth: { apiKeys: [KEY] } });

beforeAll(async () => {
  // The first call for each of some items meets one of its faults.
  for (const [kind, chaos] of FAULTS.entries()) {
    const match = { userMessage: reviewText(kind * 5), sequenceIndex: 0 };
    mock.on(match, { content: "never sent" }, { chaos });
  }
  mock.on({}, ({ messages }) => ({ content: `echo: ${textOf(messages.at(-1)?.content)}` }));
  await mock.start();
  world = await World.open();
  await world.write("reviews.csv", reviewsCsv(ITEMS));
  await world.write("reviews.yaml", reviewsJob());
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await mock.stop();
});

function variables(key: string): Record<string, string> {
  return { NIGHTSHIFT_BASE_URL: `${mock.url}/v1`, NIGHTSHIFT_API_KEY: key };
}

describe.each([
  { mode: "whole", flags: [] },
  { mode: "streamed", flags: ["--stream"] },
])("against an independent gateway, with answers $mode", ({ mode, flags }) => {
  it("a run completes, its faults are retried, and each answer is with its item", async () => {
    mock.resetMatchCounts();
    const exit = await world.nightshift(
      ["run", "reviews.yaml", "--model", "gpt-4o", "--out", mode, ...flags],
      variables(KEY),
    );
    const run = new RunDirectory(world.path(mode));
    const results = await run.results();
    expect([exit.code, mispaired(results)]).toEqual([0, []]);
    expect(results.map(({ index }) => index).sort((a, b) => a - b)).toEqual(upTo(ITEMS));
    expect(Object.keys((await run.usage()).retries)).toHaveLength(FAULTS.length);
  });
});

it("a wrong key stops the run at exit 3", async () => {
  const exit = await world.nightshift(
    ["run", "reviews.yaml", "--out", "refused"],
    variables("wrong"),
  );
  expect([exit.code, exit.stderr]).toEqual([
    3,
    expect.stringContaining("Check NIGHTSHIFT_API_KEY"),
  ]);
});

function textOf(content: unknown): string {
  return typeof content === "string" ? content : "";
}
