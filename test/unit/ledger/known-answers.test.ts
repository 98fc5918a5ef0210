import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { describe, expect, test, vi } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import {
  type EarlierRun,
  forgetRemovedRuns,
  KnownAnswers,
} from "../../../src/ledger/known-answers.ts";
import { formatLine } from "../../../src/ledger/line.ts";
import { writeManifest } from "../../../src/ledger/manifest.ts";
import { aBody, aCompleted, aManifest, runDirectory } from "./run-directory.ts";

/** The hash of a request that is known by a word. */
function hashOf(request: string): Buffer {
  return createHash("sha256").update(request).digest().subarray(0, 16);
}

function lineOf(runId: string, index: number, request: string, answer: string): string {
  const outcome = aCompleted(index, { body: aBody({ content: answer }) });
  return `${formatLine(runId, outcome, hashOf(request).toString("hex"))}\n`;
}

/** Runs in a directory, which know some requests. */
class Runs {
  readonly root: string;
  readonly list: EarlierRun[] = [];

  constructor(root: string) {
    this.root = root;
  }

  /** Adds a later run that has answers to these requests. */
  async add(name: string, requests: readonly string[]): Promise<void> {
    const runId = `id-of-${name}`;
    const createdAt = `2026-01-${String(this.list.length + 10)}T00:00:00.000Z`;
    await mkdir(join(this.root, name));
    await writeManifest(join(this.root, name), aManifest({ run_id: runId }));
    await writeFile(this.results(name), "");
    this.list.push({ name, runId, createdAt });
    await this.answer(name, requests);
  }

  async answer(name: string, requests: readonly string[]): Promise<void> {
    const lines = requests.map((request, index) =>
      lineOf(`id-of-${name}`, index, request, `${name} says ${request}`),
    );
    await appendFile(this.results(name), lines.join(""));
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.root, name), { recursive: true });
    this.list.splice(
      this.list.findIndex((run) => run.name === name),
      1,
    );
  }

  results(name: string): string {
    return join(this.root, name, FILES.results);
  }

  get index(): string {
    return join(this.root, ".nightshift", "reviews.sqlite");
  }

  open(own: string | null = null): Promise<KnownAnswers> {
    return KnownAnswers.open({ root: this.root, name: "reviews", runs: this.list, own });
  }

  /** What is known of each request. */
  async known(requests: readonly string[], own: string | null = null): Promise<(string | null)[]> {
    const known = await this.open(own);
    const answers = requests.map((request) => answerIn(known, request));
    known.close();
    return answers;
  }
}

function answerIn(known: KnownAnswers, request: string): string | null {
  const text = known.find(hashOf(request))?.bytes.toString() ?? "";
  return /"content":"([^"]*)"/.exec(text)?.[1] ?? null;
}

/** Rows that the index file holds. */
function rowsIn(path: string): number {
  const database = new DatabaseSync(path);
  const row = database.prepare("SELECT count(*) AS rows FROM answers").get();
  database.close();
  return Number(row?.["rows"]);
}

async function withRuns(act: (runs: Runs) => Promise<void>): Promise<void> {
  await using directory = await runDirectory();
  await act(new Runs(directory.path));
}

describe("what earlier runs have answered", () => {
  test("is known with its run's own words, and nothing else is", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      expect(await runs.known(["a", "b", "c"])).toEqual(["one says a", "one says b", null]);
    }));

  test("is known from the newest run that has it", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.add("two", ["b", "c"]);
      expect(await runs.known(["a", "b", "c"])).toEqual(["one says a", "two says b", "two says c"]);
      // Also where the older one is read later.
      await runs.answer("one", ["c"]);
      expect(await runs.known(["c"])).toEqual(["two says c"]);
    }));

  test("grows with the runs", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a"]);
      expect(await runs.known(["b"])).toEqual([null]);
      await runs.answer("one", ["b"]);
      await runs.add("two", ["c"]);
      expect(await runs.known(["a", "b", "c"])).toEqual(["one says a", "one says b", "two says c"]);
    }));

  test("does not count where the run that asks has it itself", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a"]);
      await runs.add("two", ["b"]);
      expect(await runs.known(["a", "b"], "two")).toEqual(["one says a", null]);
      expect(await runs.known(["a", "b"])).toEqual(["one says a", "two says b"]);
      expect(await runs.known(["a", "b"], "two")).toEqual(["one says a", null]);
    }));

  test("is not known of a run that compared no requests", () =>
    withRuns(async (runs) => {
      await runs.add("one", []);
      const body = aBody({ content: `"request":"${hashOf("a").toString("hex")}"` });
      await writeFile(runs.results("one"), `${formatLine("id-of-one", aCompleted(0, { body }))}\n`);
      expect(await runs.known(["a"])).toEqual([null]);
    }));

  test("is found in more runs than are held open", () =>
    withRuns(async (runs) => {
      const names = Array.from({ length: 40 }, (_, run) => `run-${run}`);
      for (const name of names) await runs.add(name, [`of ${name}`]);
      const asked = [...names, ...names.toReversed()];
      expect(await runs.known(asked.map((name) => `of ${name}`))).toEqual(
        asked.map((name) => `${name} says of ${name}`),
      );
    }));

  test("may be looked up by two processes that take it in at once", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      const [first, second] = await Promise.all([runs.open(), runs.open()]);
      expect([answerIn(first, "a"), answerIn(second, "b")]).toEqual(["one says a", "one says b"]);
      first.close();
      expect(answerIn(second, "a")).toBe("one says a");
      second.close();
    }));
});

describe("an answer that no ledger holds is not known", () => {
  test("after its run was removed", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.add("two", ["b"]);
      await runs.known([]);
      await runs.remove("one");
      expect(await runs.known(["a", "b"])).toEqual([null, "two says b"]);
      expect(rowsIn(runs.index)).toBe(1);
    }));

  test("but is again where an older run has it, too", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.add("two", ["a", "b"]);
      await runs.known([]);
      await runs.remove("two");
      expect(await runs.known(["a", "b"])).toEqual(["one says a", "one says b"]);
    }));

  test("after its line was changed, and it is forgotten", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.known([]);
      const text = await readFile(runs.results("one"), "utf8");
      const other = lineOf("id-of-one", 0, "z", "one says a");
      await writeFile(runs.results("one"), other + text.slice(other.length));
      expect(await runs.known(["a", "b"])).toEqual([null, "one says b"]);
      expect(rowsIn(runs.index)).toBe(1);
    }));

  test("after its file was cut short, or is another run's", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.known([]);
      await truncate(runs.results("one"), lineOf("id-of-one", 0, "a", "one says a").length);
      expect(await runs.known(["a", "b"])).toEqual(["one says a", null]);
      await writeFile(runs.results("one"), "");
      runs.list.splice(0, 1, { name: "one", runId: "another", createdAt: "2026-02-01" });
      expect(await runs.known(["a", "b"])).toEqual([null, null]);
    }));

  test("while it is being looked for", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      const known = await runs.open();
      expect(known.has(hashOf("a"))).toBe(true);
      await runs.remove("one");
      expect(known.find(hashOf("a"))).toBeNull();
      known.close();
    }));

  test("before its line is whole", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a"]);
      const line = lineOf("id-of-one", 1, "b", "one says b");
      await appendFile(runs.results("one"), line.slice(0, -30));
      expect(await runs.known(["a", "b"])).toEqual(["one says a", null]);
      await appendFile(runs.results("one"), line.slice(-30));
      expect(await runs.known(["a", "b"])).toEqual(["one says a", "one says b"]);
    }));
});

test("an answer that another process has found meanwhile stays known, though it was looked for in vain", () =>
  withRuns(async (runs) => {
    await runs.add("one", ["a"]);
    const early = await runs.open();
    await truncate(runs.results("one"), 0);
    expect(answerIn(early, "a")).toBeNull();
    await runs.add("two", ["a"]);
    expect(await runs.known(["a"])).toEqual(["two says a"]);
    early.close();
    expect(await runs.known(["a"])).toEqual(["two says a"]);
  }));

describe("the index is made anew from the ledgers", () => {
  test.each([
    ["lost", (path: string) => rm(path)],
    ["no database", (path: string) => writeFile(path, "x".repeat(10_000))],
    ["empty", (path: string) => writeFile(path, "")],
    ["torn", (path: string) => truncate(path, 5_000)],
    [
      "overwritten in its middle",
      async (path: string) => {
        const bytes = await readFile(path);
        await writeFile(path, bytes.fill(0xff, 4_096));
      },
    ],
    [
      "of another version",
      (path: string) => {
        const database = new DatabaseSync(path);
        database.exec("DROP TABLE answers; CREATE TABLE answers (x); PRAGMA user_version = 99");
        database.close();
        return Promise.resolve();
      },
    ],
  ])("where it is %s", (_name, spoil) =>
    withRuns(async (runs) => {
      const requests = Array.from({ length: 300 }, (_, at) => `request ${at}`);
      await runs.add("one", requests);
      await runs.known([]);
      await spoil(runs.index);
      expect(await runs.known(requests)).toEqual(requests.map((each) => `one says ${each}`));
    }),
  );
});

test("nobody is told that SQLite is experimental", () =>
  withRuns(async (runs) => {
    const warned = vi.spyOn(process, "emitWarning");
    await runs.add("one", ["a"]);
    await runs.known(["a"]);
    expect(warned).not.toHaveBeenCalled();
    expect(Reflect.get(process, "emitWarning")).toBe(warned);
  }));

describe("after runs were removed", () => {
  test("their answers are forgotten at once, and those of others stay", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a", "b"]);
      await runs.add("two", ["c"]);
      await runs.known([]);
      await runs.remove("one");
      await forgetRemovedRuns(runs.root);
      expect(rowsIn(runs.index)).toBe(1);
      expect(await runs.known(["a", "c"])).toEqual([null, "two says c"]);
    }));

  test("an index of which nothing is left goes, too", () =>
    withRuns(async (runs) => {
      await runs.add("one", ["a"]);
      await runs.known([]);
      await runs.remove("one");
      await forgetRemovedRuns(runs.root);
      expect(await readdir(join(runs.root, ".nightshift"))).toEqual([]);
    }));

  test("a damaged index goes, and where there is none nothing is made", () =>
    withRuns(async (runs) => {
      await forgetRemovedRuns(runs.root);
      expect(await readdir(runs.root)).toEqual([]);
      await runs.add("one", ["a"]);
      await runs.known([]);
      await writeFile(runs.index, "x".repeat(10_000));
      await forgetRemovedRuns(runs.root);
      expect(await runs.known(["a"])).toEqual(["one says a"]);
    }));
});
