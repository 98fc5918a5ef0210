import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { jsonLines } from "../../../src/input/jsonl.ts";
import { flatten, inPieces, inputError, readInput } from "./files.ts";

describe("JSONL", () => {
  it("gives each object with its line and its own text", async () => {
    const text = '{"id": 1.0}\r\n\r\n  \n{"id":"评","__proto__":2}';
    const { columns, records } = await readInput("a.jsonl", text);
    expect(columns).toBeNull();
    const path = expect.stringContaining("a.jsonl") as unknown;
    expect(records).toEqual([
      { index: 0, path, line: 1, fields: { id: 1 }, source: '{"id": 1.0}' },
      {
        index: 1,
        path,
        line: 4,
        fields: { id: "评", ["__proto__"]: 2 },
        source: '{"id":"评","__proto__":2}',
      },
    ]);
  });

  it("takes U+2028 and U+2029 inside a string as data", async () => {
    const { records } = await readInput("a.ndjson", '{"t":"a\u2028b\u2029c"}\n{"t":"d"}\n');
    expect(records.map(({ fields }) => fields["t"])).toEqual(["a\u2028b\u2029c", "d"]);
  });

  it("reads the same objects however the bytes are cut", async () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "é", "评", "🌙", "\u2028", "\u2029", "\u0085", '"', "\n"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(text, text)), fc.nat(8), async (objects, size) => {
        const bytes = Buffer.from(objects.map((object) => JSON.stringify(object)).join("\n"));
        const read = await flatten(jsonLines(inPieces(bytes, size + 1), "a.jsonl"));
        expect(read.map(({ text }) => text)).toEqual(
          objects.map((object) => JSON.stringify(object)),
        );
      }),
    );
  });

  it.each([
    ['{"a":1}\n\n{"a":\n', "a.jsonl:3: not valid JSON"],
    ["[1]\n", "a.jsonl:1: found an array where each line must be one JSON object."],
    ["null\n", "a.jsonl:1: found null where"],
    ['"text"\n', "a.jsonl:1: found a string where"],
    ["", "a.jsonl: the file is empty"],
    ["\n \r\n", "a.jsonl: the file is empty"],
  ])("says what is wrong with %j", async (text, message) => {
    expect(await inputError("a.jsonl", text)).toContain(`UsageError ${message}`);
  });

  it.each(['[{"a":1},{"a":2}]', '\n [\n  {"a":1},\n  {"a":2}\n]\n', '[{"a":1},\n{"a":2}]\n'])(
    "knows one JSON array from JSONL, and makes lines of it: %j",
    async (text) => {
      expect(await inputError("a.jsonl", text)).toMatch(
        /^UsageError a\.jsonl: this is one JSON array, .*`jq -c '\.\[\]' file\.json > file\.jsonl`/,
      );
    },
  );

  it("refuses a line longer than 64 MB", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"a":1}\n');
      const chunk = Buffer.alloc(8 * 1024 * 1024, "x");
      for (let sent = 0; sent < 20; sent += 1) yield chunk;
      throw new Error("read on");
    }
    await expect(flatten(jsonLines(endless(), "a.jsonl"))).rejects.toThrow(
      "a.jsonl:2: the line is longer than 64 MB.",
    );
  });

  it("reads a value of 10 MB", async () => {
    const value = "0123456789".repeat(1_000_000);
    const { records } = await readInput("a.jsonl", `{"t":"${value}"}\n{"t":"b"}\n`);
    expect(records.map(({ fields }) => String(fields["t"]).length)).toEqual([10_000_000, 1]);
  });

  it("passes over a million blank lines", async () => {
    const { records } = await readInput("a.jsonl", `${"\n".repeat(1_000_000)}{"t":1}`);
    expect(records).toMatchObject([{ index: 0, line: 1_000_001 }]);
  });
});
