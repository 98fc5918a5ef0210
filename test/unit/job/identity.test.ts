import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { canonicalJson, identityChanges, identityOf } from "../../../src/job/identity.ts";
import { resolveJob } from "../../../src/job/resolve.ts";
import type { ResolvedJob } from "../../../src/job/resolved-job.ts";

const JOB = resolveJob(
  {
    input: "reviews.csv",
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Classify: {{ text }}" }],
    params: { temperature: 0, max_tokens: 50 },
    id: "{{ review_id }}",
  },
  {},
  "job.yaml",
);

function changes(now: Partial<ResolvedJob>, inputSha256 = "abc"): string[] {
  return identityChanges(identityOf(JOB, "abc"), identityOf({ ...JOB, ...now }, inputSha256));
}

describe("a run's identity", () => {
  test("is made of input, model, messages, params and id, and each change is named", () => {
    expect(changes({}, "other")).toEqual(["input"]);
    expect(changes({ model: "qwen-max" })).toEqual(['model (was "gpt-4o-mini", now "qwen-max")']);
    expect(changes({ messages: [{ role: "user", content: "Classify {{ text }}" }] })).toEqual([
      "messages",
    ]);
    expect(changes({ params: { temperature: 0 } })).toEqual(["params"]);
    expect(changes({ id: null })).toEqual(['id (was "{{ review_id }}", now "")']);
  });

  test("is not changed by what may change between sittings", () => {
    const other: Partial<ResolvedJob> = {
      name: "renamed",
      input: "/moved/reviews.csv",
      concurrency: 1,
      rpm: 60,
      tpm: 1_000,
      budget: { usd: 5, tokens: 1_000, requests: 10 },
      attempts: 2,
      timeoutMs: 1,
      maxOutageMs: 1,
      stream: true,
      onLength: "fail",
      out: "/elsewhere",
      csvBom: true,
      first: 3,
      pricing: { input: 1, output: 2 },
    };
    expect(changes(other)).toEqual([]);
  });

  test("is not changed by the order in which params or a message's fields are written", () => {
    expect(changes({ params: { max_tokens: 50, temperature: 0 } })).toEqual([]);
    expect(changes({ messages: [{ content: "Classify: {{ text }}", role: "user" }] })).toEqual([]);
  });

  test("is changed by the order of messages", () => {
    const [first] = JOB.messages ?? [];
    if (first === undefined) throw new Error("the job has a message");
    const system = { role: "system", content: "Be brief." } as const;
    const [before, now] = [
      [first, system],
      [system, first],
    ].map((messages) => identityOf({ ...JOB, messages }, "abc"));
    expect(identityChanges(before ?? {}, now ?? {})).toEqual(["messages"]);
  });

  test("survives the way through run.json", () => {
    const stored = JSON.parse(JSON.stringify(identityOf(JOB, "abc"))) as Record<string, unknown>;
    expect(identityChanges(stored, identityOf(JOB, "abc"))).toEqual([]);
  });
});

describe("canonical JSON", () => {
  test("is the same however an object's keys are ordered", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
  });

  test("loses nothing", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
