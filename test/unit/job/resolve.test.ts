import { resolve } from "node:path";

import { describe, expect, test } from "vitest";

import {
  type JobOverrides,
  nameOfInput,
  overrideJob,
  resolveJob,
} from "../../../src/job/resolve.ts";
import type { ResolvedJob } from "../../../src/job/resolved-job.ts";
import type { JobFile } from "../../../src/job/schema.ts";

const INPUT = "/data/reviews.csv";

function resolved(job: Partial<JobFile> = {}, flags: JobOverrides = {}): ResolvedJob {
  return resolveJob({ input: INPUT, ...job }, flags, "job.yaml");
}

describe("a job with nothing but an input", () => {
  test("gets a default for everything", () => {
    expect(resolveJob({ input: INPUT }, {}, null)).toEqual({
      name: "reviews",
      where: "the command line",
      input: INPUT,
      inputs: [INPUT],
      model: null,
      messages: null,
      params: {},
      id: null,
      concurrency: 64,
      rpm: null,
      tpm: null,
      budget: { usd: null, tokens: null, requests: null },
      attempts: 6,
      timeoutMs: 60_000,
      maxOutageMs: 86_400_000,
      stream: false,
      onLength: "keep",
      dedupe: false,
      incremental: false,
      out: null,
      encoding: null,
      delimiter: null,
      csvBom: false,
      csvSafe: false,
      first: null,
      pricing: null,
      timeZone: null,
      notify: null,
    } satisfies ResolvedJob);
  });
});

describe("a setting", () => {
  const cases: [keyof ResolvedJob, Partial<JobFile>, unknown, JobOverrides, unknown][] = [
    ["model", { model: "file" }, "file", { model: "flag" }, "flag"],
    ["concurrency", { limits: { concurrency: 5 } }, 5, { concurrency: 6 }, 6],
    ["rpm", { limits: { rpm: 5 } }, 5, { rpm: 6 }, 6],
    ["tpm", { limits: { tpm: 5 } }, 5, { tpm: 6 }, 6],
    ["attempts", { retry: { attempts: 2 } }, 2, { attempts: 3 }, 3],
    ["timeoutMs", { timeout: "10s" }, 10_000, { timeout: "1m" }, 60_000],
    ["maxOutageMs", { max_outage: 90 }, 90_000, { maxOutage: "2h" }, 7_200_000],
    ["stream", { stream: true }, true, { stream: false }, false],
    ["encoding", { encoding: "gb18030" }, "gb18030", { encoding: "utf-16le" }, "utf-16le"],
    ["delimiter", { delimiter: ";" }, ";", { delimiter: "tab" }, "tab"],
    ["csvBom", { csv_bom: true }, true, { csvBom: false }, false],
    ["csvSafe", { csv_safe: true }, true, { csvSafe: false }, false],
    ["id", { id: "{{ a }}" }, "{{ a }}", { idColumn: "my id" }, '{{ ["my id"] }}'],
    ["out", { out: "/runs/file" }, "/runs/file", { out: "/runs/flag" }, "/runs/flag"],
  ];
  test.each(cases)(
    "%s comes from the flag, else from the job file",
    (name, job, fromFile, flags, fromFlag) => {
      expect([resolved(job)[name], resolved(job, flags)[name]]).toEqual([fromFile, fromFlag]);
    },
  );

  test("of the budget comes from its flag, else from the job file, each limit by itself", () => {
    const job = { limits: { budget: { usd: 5, tokens: 1_000 } } };
    expect(resolved(job, { budgetUsd: 10, budgetRequests: 7 }).budget).toEqual({
      usd: 10,
      tokens: 1_000,
      requests: 7,
    });
  });

  test.each([
    [{ budgetUsd: 0 }, "budget.usd: 0 is no number above 0"],
    [{ budgetUsd: Infinity }, "budget.usd: Infinity is no number above 0"],
    [{ budgetTokens: 1.5 }, /^budget\.tokens: 1\.5 is no whole number/],
    [{ budgetRequests: 0 }, /^budget\.requests: 0 is no whole number/],
  ])("of the budget that is none is refused: %j", (flags, said) => {
    expect(() => resolved({}, flags)).toThrow(said);
  });

  test("of the budget may be missing in a run directory of an earlier version", () => {
    const { budget: _budget, ...job } = resolved();
    expect(overrideJob(job as ResolvedJob, { budgetTokens: 5 }).budget).toEqual({
      usd: null,
      tokens: 5,
      requests: null,
    });
  });

  test("of params is merged one by one", () => {
    const job = { params: { temperature: 0, max_tokens: 50 } };
    expect(resolved(job, { params: { temperature: 1, seed: null } }).params).toEqual({
      temperature: 1,
      max_tokens: 50,
      seed: null,
    });
  });

  test.each([
    ["model", "--model"],
    ["messages", "--prompt"],
    ["stream", "--stream"],
    ["stream_options", "leave it out"],
    ["n", "leave it out"],
  ])("is not given as the param %s: the way is %s", (name, way) => {
    expect(() => resolved({}, { params: { [name]: 1 } })).toThrow(way);
  });

  test("that is no duration is refused with its name", () => {
    expect(() => resolved({}, { timeout: "soon" })).toThrow(
      'timeout: "soon" is no duration: write 60s, 10m or 24h',
    );
    expect(() => resolved({}, { maxOutage: "0" })).toThrow(/^max_outage: "0" is no duration/);
  });

  test("of a relative path is counted from the working directory", () => {
    const { input, out } = resolved({ input: "a.csv" }, { out: "runs/x" });
    expect([input, out]).toEqual([resolve("a.csv"), resolve("runs/x")]);
  });
});

describe("the prompt", () => {
  const MESSAGES: JobFile["messages"] = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Classify {{ text }}" },
    { role: "assistant", content: "Sure." },
  ];

  test("from the flag takes the place of all but the system message", () => {
    expect(resolved({ messages: MESSAGES }, { prompt: "Translate {{ text }}" }).messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "Translate {{ text }}" },
    ]);
  });

  test("keeps its messages where the flag gives another system message", () => {
    const { messages } = resolved({ messages: MESSAGES }, { system: "Be long." });
    expect(messages).toEqual([{ role: "system", content: "Be long." }, ...MESSAGES.slice(1)]);
  });

  test("may come from flags alone", () => {
    expect(resolved({}, { prompt: "{{ q }}", system: "Be kind." }).messages).toEqual([
      { role: "system", content: "Be kind." },
      { role: "user", content: "{{ q }}" },
    ]);
  });
});

describe("the name of an input", () => {
  test.each([
    ["data/my reviews.csv.gz", "my-reviews"],
    ["/data/reviews.2026.jsonl", "reviews.2026"],
    ["评论.csv", "评论"],
    ["..csv", "job"],
    ["a/-x-.tsv", "x"],
    ["reviews", "reviews"],
  ])("%s is %s", (path, name) => {
    expect(nameOfInput(path)).toBe(name);
  });
});
