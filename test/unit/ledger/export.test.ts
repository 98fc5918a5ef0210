import { readdir, readFile, writeFile } from "node:fs/promises";

import { parse } from "csv-parse/sync";
import * as fc from "fast-check";
import { describe, expect, test, vi } from "vitest";

import {
  answerNames,
  exportOutput,
  type ExportOptions,
  type ExportRecord,
} from "../../../src/ledger/export.ts";
import { FILES } from "../../../src/ledger/files.ts";
import { ItemTable } from "../../../src/ledger/item-table.ts";
import type { Outcome } from "../../../src/outcome.ts";
import {
  aBody,
  aCompleted,
  aFailed,
  openLedger,
  runDirectory,
  type RunDirectory,
} from "./run-directory.ts";

// Properties that touch the disk take their time on a machine under load.
vi.setConfig({ testTimeout: 20_000 });

/** What CSV readers and writers stumble over. */
const CHARACTERS = [
  "a",
  ",",
  '"',
  "'",
  "\n",
  "\r",
  "\t",
  ";",
  "=",
  " ",
  "\u2028",
  "\uFEFF",
  "汉",
  "😀",
  "0",
];
const ADDED = "completion,finish_reason,prompt_tokens,completion_tokens,total_tokens,error";

const OPTIONS = {
  format: "csv",
  columns: ["text"],
  delimiter: ",",
  bom: false,
  safe: false,
  marked: false,
  isOwner: true,
} as const;

/** The text of the output of these records once the outcomes are recorded. */
async function exported(
  records: readonly ExportRecord[],
  outcomes: readonly Outcome[],
  options: Partial<ExportOptions> = {},
): Promise<string> {
  await using directory = await runDirectory();
  const path = await exportInto(directory, records, outcomes, options);
  return await readFile(path, "utf8");
}

async function exportInto(
  directory: RunDirectory,
  records: readonly ExportRecord[],
  outcomes: readonly Outcome[],
  options: Partial<ExportOptions> = {},
): Promise<string> {
  const ledger = await openLedger(directory);
  await Promise.all(outcomes.map((outcome) => ledger.record(outcome)));
  await ledger.close();
  return exportOutput(inBatches(records), ledger.items, {
    ...OPTIONS,
    directory: directory.path,
    ...options,
  });
}

async function* inBatches(records: readonly ExportRecord[]): AsyncGenerator<ExportRecord[]> {
  for (let at = 0; at < records.length; at += 2) yield records.slice(at, at + 2);
}

function csvRecords(...rows: readonly (readonly string[])[]): ExportRecord[] {
  return rows.map((source, index) => ({ index, source, fields: {} }));
}

function jsonRecords(...lines: readonly string[]): ExportRecord[] {
  return lines.map((source, index) => ({
    index,
    source,
    fields: JSON.parse(source) as Record<string, unknown>,
  }));
}

function answering(index: number, content: string | null): Outcome {
  return aCompleted(index, { body: aBody({ content }) });
}

describe("a CSV output", () => {
  test("says whose answer it is where the run reuses answers, and only there", async () => {
    const outcomes = [
      answering(0, "yes"),
      aCompleted(1, { reused: { kind: "shared", with: 0 } }),
      aFailed(2, { reused: { kind: "shared", with: 3 } }),
    ];
    const rows = csvRecords(["a"], ["a"], ["b"]);
    const marked = parse(await exported(rows, outcomes, { marked: true }));
    expect(marked.map((row) => row.at(-1))).toEqual(["reused", "", "shared", "shared"]);
    expect(parse(await exported(rows, outcomes))[0]).not.toContain("reused");
  });

  test("has every record in the input's order with its answer, whatever order they ended in", async () => {
    const records = csvRecords(["good"], ["bad"], ["never asked"], ["refused"]);
    const output = await exported(records, [
      answering(1, "negative"),
      aFailed(3, { error: { code: "content_filter", message: "blocked, sorry" } }),
      answering(0, "positive"),
    ]);
    expect(output.split("\n")).toEqual([
      `text,${ADDED}`,
      "good,positive,stop,7,3,10,",
      "bad,negative,stop,7,3,10,",
      "never asked,,,,,,",
      'refused,,,,,,"content_filter: blocked, sorry"',
      "",
    ]);
  });

  test("keeps any values and answers as they were", async () => {
    const text = fc.string({ unit: fc.constantFrom(...CHARACTERS) });
    const row = fc.record({ source: fc.array(text, { minLength: 3, maxLength: 3 }), answer: text });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const output = await exported(
          csvRecords(...rows.map(({ source }) => source)),
          rows.map(({ answer }, index) => answering(index, answer)),
          { columns: ["a", "b b", 'c,"c"'] },
        );
        const [header, ...found] = parse(output, { record_delimiter: "\n" });
        expect(header).toEqual(["a", "b b", 'c,"c"', ...ADDED.split(",")]);
        expect(found.map((cells) => cells.slice(0, 4))).toEqual(
          rows.map(({ source, answer }) => [...source, answer]),
        );
      }),
      { numRuns: 25 },
    );
  });

  test("quotes a lone carriage return, which other readers take for the end of a line", async () => {
    expect(await exported(csvRecords(["a\rb"]), [])).toContain('"a\rb",');
  });

  test("begins with a byte order mark only when told to", async () => {
    const records = csvRecords(["x"]);
    const [plain, marked] = [
      await exported(records, []),
      await exported(records, [], { bom: true }),
    ];
    expect(marked).toBe(`\uFEFF${plain}`);
  });

  test("defuses what a spreadsheet would run as a formula only when told to", async () => {
    const records = csvRecords(["=1+1"], ["plain"]);
    const answers = [answering(0, "@SUM(A1)"), answering(1, "fine")];
    expect(await exported(records, answers)).toContain("=1+1,@SUM(A1),stop");
    const safe = await exported(records, answers, { safe: true });
    expect(safe).toContain("'=1+1,'@SUM(A1),stop");
    expect(safe).toContain("plain,fine,stop");
  });

  test.each(["\t=1", "  +1", "\n@SUM(A1)", "\r\n-1", "\u00A0=1", " \uFF1D1", "\tplain"])(
    "defuses a formula behind blanks: %j",
    async (cell) => {
      const safe = await exported(csvRecords([cell]), [], { safe: true });
      expect(parse(safe, { from: 2 })[0]?.[0]).toBe(`'${cell}`);
    },
  );

  test.each(["a=1", " a", "1-1", "", "\nplain"])("leaves what is no formula: %j", async (cell) => {
    const safe = await exported(csvRecords([cell]), [], { safe: true });
    expect(parse(safe, { from: 2 })[0]?.[0]).toBe(cell);
  });

  test("leaves negative numbers when it defuses formulas", async () => {
    const records = jsonRecords('{"n":-1.5}');
    expect(await exported(records, [], { columns: ["n"], safe: true })).toContain("\n-1.5,");
  });

  test("of a JSONL input has a column per name, empty where a record lacks it", async () => {
    const records = jsonRecords('{"text":"a","tags":["x",1]}', '{"flag":true,"n":1.5,"none":null}');
    const columns = ["text", "tags", "flag", "n", "none"];
    expect((await exported(records, [], { columns })).split("\n").slice(1, 3)).toEqual([
      'a,"[""x"",1]",,,,,,,,,',
      ",,true,1.5,,,,,,,",
    ]);
  });
});

test("a CSV output with another delimiter quotes what holds that one", async () => {
  const records = csvRecords(["a;b"], ["a,b"]);
  expect(await exported(records, [], { delimiter: ";" })).toBe(
    `text;${ADDED.replaceAll(",", ";")}\n"a;b";;;;;;\na,b;;;;;;\n`,
  );
});

describe("a JSONL output", () => {
  const options = { format: "jsonl", columns: ["text"] } as const;

  test("keeps each record's own text: numbers, order of keys and line separators", async () => {
    const source = '{ "text":"a\u2028\\u2029\\n", "id":12345678901234567890, "t":1.0, "e":1e3 }';
    expect(await exported(jsonRecords(source), [answering(0, "yes")], options)).toBe(
      `${source.replace("{ ", "{").replace(" }", "")},` +
        '"completion":"yes","finish_reason":"stop","prompt_tokens":7,"completion_tokens":3,' +
        '"total_tokens":10,"error":null}\n',
    );
  });

  test("is one line of JSON per record, with its values and its answer, for any record", async () => {
    const record = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
      noNullPrototype: true,
    });
    const records = fc.array(
      record.map((value) => JSON.stringify(value)),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(records, fc.string({ unit: "binary" }), async (sources, answer) => {
        const columns = [
          ...new Set(sources.flatMap((text) => Object.keys(JSON.parse(text) as object))),
        ];
        const outcomes = sources.map((_, index) => answering(index, answer));
        const output = await exported(jsonRecords(...sources), outcomes, {
          format: "jsonl",
          columns,
        });
        const [completion = ""] = answerNames(columns);
        const lines = output.split("\n").slice(0, -1);
        expect(lines).toHaveLength(sources.length);
        for (const [index, line] of lines.entries()) {
          const found = JSON.parse(line) as Record<string, unknown>;
          expect(found).toMatchObject(JSON.parse(sources[index] ?? "") as object);
          expect(found[completion]).toBe(answer);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("of an empty record holds the answer alone", async () => {
    const output = await exported(jsonRecords("{}"), [answering(0, "x")], options);
    expect(JSON.parse(output)).toMatchObject({ completion: "x", error: null });
  });

  test("of a CSV input has its values as texts, by column", async () => {
    const output = await exported(csvRecords(["1.0", ""]), [], { ...options, columns: ["n", "m"] });
    expect(output).toMatch(/^\{"n":"1\.0","m":"","completion":null,/);
  });
});

describe("the names of the added columns", () => {
  test("get a prefix where the input uses them", () => {
    expect(answerNames(["error", "completion", "nightshift_completion"])).toEqual([
      "nightshift_nightshift_completion",
      "finish_reason",
      "prompt_tokens",
      "completion_tokens",
      "total_tokens",
      "nightshift_error",
    ]);
  });

  test("leave the input's own column as it is", async () => {
    const output = await exported(csvRecords(["mine"]), [answering(0, "theirs")], {
      columns: ["completion"],
    });
    expect(parse(output, { columns: true })).toMatchObject([
      { completion: "mine", nightshift_completion: "theirs" },
    ]);
  });
});

describe("an answer without text", () => {
  const completion = async (message: object): Promise<unknown> => {
    const body = JSON.stringify({ choices: [{ message, finish_reason: "stop" }] });
    const output = await exported(jsonRecords("{}"), [aCompleted(0, { body })], {
      format: "jsonl",
    });
    return (JSON.parse(output) as Record<string, unknown>)["completion"];
  };

  test("gives the refusal", async () => {
    expect(await completion({ content: null, refusal: "I cannot." })).toBe("I cannot.");
  });

  test("gives the tool calls as JSON", async () => {
    const calls = [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }];
    expect(await completion({ content: "", tool_calls: calls })).toBe(JSON.stringify(calls));
  });

  test("is empty and still completed where there is nothing at all", async () => {
    expect(await completion({ content: "" })).toBe("");
  });
});

test("answers larger than the blocks they are read in arrive whole", async () => {
  const answers = [300_000, 10, 600_000].map((length, at) => String(at).repeat(length));
  const output = await exported(
    csvRecords(["a"], ["b"], ["c"]),
    answers.map((answer, index) => answering(index, answer)),
  );
  const [, ...rows] = parse(output);
  expect(rows.map(([, completion]) => completion)).toEqual(answers);
});

test("an export beside the owner's keeps out of its temporary file", async () => {
  await using directory = await runDirectory();
  const owners = directory.file(`${FILES.output("csv")}.tmp`);
  await writeFile(owners, "half of the owner's");
  await exportInto(directory, csvRecords(["a"]), [], { isOwner: false });
  expect(await readFile(owners, "utf8")).toBe("half of the owner's");
  expect(await readdir(directory.path)).toContain(FILES.output("csv"));
});

test("an export that fails leaves the old output and no temporary file", async () => {
  await using directory = await runDirectory();
  await writeFile(directory.file(FILES.output("csv")), "old");
  async function* records(): AsyncGenerator<ExportRecord[]> {
    yield csvRecords(["a"]);
    throw new Error("the input is gone");
  }
  const options = { ...OPTIONS, directory: directory.path };
  await expect(exportOutput(records(), new ItemTable(), options)).rejects.toThrow(
    "the input is gone",
  );
  expect(await directory.text(FILES.output("csv"))).toBe("old");
  expect(await readdir(directory.path)).not.toContain(`${FILES.output("csv")}.tmp`);
});
