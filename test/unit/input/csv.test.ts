import { stringify } from "csv-stringify/sync";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { csvRows } from "../../../src/input/csv.ts";
import { flatten, inPieces, inputError, readInput } from "./files.ts";

describe("CSV", () => {
  it("gives each record its values untouched, its fields by column and its line", async () => {
    const { columns, records } = await readInput("a.csv", "id,text\n1, a b \n2,\n");
    expect(columns).toEqual(["id", "text"]);
    const path = expect.stringContaining("a.csv") as unknown;
    expect(records).toEqual([
      { index: 0, path, line: 2, fields: { id: "1", text: " a b " }, source: ["1", " a b "] },
      { index: 1, path, line: 3, fields: { id: "2", text: "" }, source: ["2", ""] },
    ]);
  });

  it("reads back whatever csv-stringify writes", async () => {
    const value = fc.string({
      unit: fc.constantFrom("a", "é", "评", "🌙", '"', ",", "\n", "\r", " ", "\0"),
    });
    const table = fc.integer({ min: 2, max: 4 }).chain((width) =>
      fc.array(fc.array(value, { minLength: width, maxLength: width }), {
        minLength: 1,
        maxLength: 8,
      }),
    );
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom("\n", "\r\n"), fc.nat(8), async (rows, end, size) => {
        const bytes = Buffer.from(stringify(rows, { record_delimiter: end, quoted: true }));
        const read = await flatten(csvRows(inPieces(bytes, size + 1), ",", "a.csv"));
        expect(read.map(({ values }) => values)).toEqual(rows);
      }),
    );
  });

  it.each(["\n", "\r\n", "\r"])("counts lines that end in %j, also inside quotes", async (end) => {
    const text = ["id,text", "", '1,"two', 'lines"', "", "", "2,b", ""].join(end);
    const { records } = await readInput("a.csv", text);
    expect(records.map(({ line }) => line)).toEqual([3, 7]);
  });

  it("reads tabs in a .tsv file and takes its commas as text", async () => {
    const { records } = await readInput("a.tsv", "id\ttext\n1\ta, b\n");
    expect(records[0]?.fields).toEqual({ id: "1", text: "a, b" });
  });

  it("takes the byte order mark off the first column", async () => {
    const { columns } = await readInput("a.csv", "\uFEFFid,text\n1,a\n");
    expect(columns).toEqual(["id", "text"]);
  });

  it("reads a last record without a line break", async () => {
    const { records } = await readInput("a.csv", 'id,text\n1,a\n2,"b"');
    expect(records.at(-1)?.source).toEqual(["2", "b"]);
  });

  it("keeps duplicate and empty column names", async () => {
    const { columns, records } = await readInput("a.csv", "a,a,\n1,2,3\n");
    expect(columns).toEqual(["a", "a", ""]);
    expect(records[0]?.source).toEqual(["1", "2", "3"]);
  });

  it("has no trouble with columns named like the insides of objects", async () => {
    const { records } = await readInput("a.csv", "__proto__,constructor\np,c\n");
    const fields = records[0]?.fields ?? {};
    expect(Object.entries(fields)).toEqual([
      ["__proto__", "p"],
      ["constructor", "c"],
    ]);
    expect("toString" in fields).toBe(false);
  });

  it.each([
    [
      "id,text\n1,a\n\n2\n",
      "a.csv:4: found 1 value where the header has 2. Each column needs a value",
    ],
    [
      "id,text\n1,a,b\n",
      "a.csv:2: found 3 values where the header has 2. Put a value that holds a delimiter",
    ],
    [
      'id,text\n1,"a\nb"\n2,"x\n3,y\n',
      "a.csv:4: a double quote in the record that starts here is never closed.",
    ],
    ['id,text\n1,"a"b\n', "a.csv:2: a stray double quote"],
    ['id,text\n1,a"b"\n', "a.csv:2: a stray double quote"],
    ["id,text\n", "a.csv: there is a header but no record below it."],
    ["", "a.csv: the file is empty"],
    ["\uFEFF", "a.csv: the file is empty"],
    ["\n\n", "a.csv: the file is empty"],
  ])("says what is wrong with %j", async (text, message) => {
    expect(await inputError("a.csv", text)).toContain(`UsageError ${message}`);
  });

  it.each([
    [
      "a.csv",
      "id;text\n1;one, two\n",
      'a single column with ";" in it.',
      "--delimiter ';' (in a job file: delimiter: \";\"), else --delimiter ','.",
    ],
    ["a.csv", "id\ttext\n1\tone\n", "a single column with tabs in it.", "--delimiter tab"],
    ["a.tsv", "id,text\n1,one\n", 'a single column with "," in it.', "--delimiter ','"],
  ])(
    "sees in the header of %s %j that another sign separates",
    async (name, text, finding, way) => {
      const message = await inputError(name, text);
      expect(message).toContain(`UsageError ${name}:1: the header is ${finding}`);
      expect(message).toContain(way);
    },
  );

  it.each([
    [";", "id;text\n1;one, two\n"],
    ["|", "id|text\n1|one, two\n"],
    ["tab", "id\ttext\n1\tone, two\n"],
  ] as const)("separates at the sign that was named: %s", async (delimiter, text) => {
    const { columns, records } = await readInput("a.csv", text, { delimiter });
    expect([columns, records[0]?.source]).toEqual([
      ["id", "text"],
      ["1", "one, two"],
    ]);
  });

  it("takes a single column for one where that was said", async () => {
    const { columns } = await readInput("a.csv", "text;long\nx\n", { delimiter: "," });
    expect(columns).toEqual(["text;long"]);
  });

  it("tells of an unclosed quote after 64 MB", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from('id,text\n1,a\n2,"');
      const chunk = Buffer.alloc(8 * 1024 * 1024, "x\n");
      for (let sent = 0; sent < 20; sent += 1) yield chunk;
      throw new Error("read on");
    }
    await expect(flatten(csvRows(endless(), ",", "a.csv"))).rejects.toThrow(
      "a.csv:3: the record that starts here is longer than 64 MB.",
    );
  }, 60_000);

  it("reads a value of 10 MB", async () => {
    const value = "0123456789".repeat(1_000_000);
    const { records } = await readInput("a.csv", `id,text\n1,"${value}"\n2,b\n`);
    expect(records.map(({ fields }) => String(fields["text"]).length)).toEqual([10_000_000, 1]);
  });

  it("reads 200 000 columns", async () => {
    const header = Array.from({ length: 200_000 }, (_, at) => `c${at}`).join(",");
    const { records } = await readInput("a.csv", `${header}\n${",".repeat(199_998)},last\n`);
    expect(records[0]?.fields["c199999"]).toBe("last");
  });

  it("passes over a million blank lines", async () => {
    const { records } = await readInput("a.csv", `id\n${"\n".repeat(1_000_000)}1\n`);
    expect(records).toMatchObject([{ index: 0, line: 1_000_002 }]);
  });
});
