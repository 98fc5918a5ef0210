import { isUtf8 } from "node:buffer";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { utf8Text } from "../../../src/input/text.ts";
import { inPieces, inputError, readInput } from "./files.ts";

const TEXT = "id,评论\n1,好🌙é\n";

async function decoded(bytes: Buffer, size: number, encoding?: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of utf8Text(inPieces(bytes, size), "a.csv", encoding)) {
    // Each chunk must hold whole characters.
    expect(isUtf8(chunk)).toBe(true);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function utf16be(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

const GB18030 = Buffer.concat([
  Buffer.from("id,"),
  Buffer.from([0xc6, 0xc0, 0xc2, 0xdb]),
  Buffer.from("\n1,"),
  Buffer.from([0xba, 0xc3]),
]);

describe("text encodings", () => {
  const forms: [string, Buffer][] = [
    ["UTF-8", Buffer.from(TEXT)],
    ["UTF-8 with its mark", Buffer.from(`\uFEFF${TEXT}`)],
    ["UTF-16LE with its mark", Buffer.from(`\uFEFF${TEXT}`, "utf16le")],
    ["UTF-16BE with its mark", utf16be(`\uFEFF${TEXT}`)],
  ];
  it.each(forms)("reads %s however its bytes are cut", async (_name, bytes) => {
    for (let size = 1; size <= bytes.length; size += 1) {
      expect(await decoded(bytes, size)).toBe(TEXT);
    }
  });

  it("keeps every text of whole characters however its bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.integer({ min: 1, max: 6 }),
        async (text, size) => {
          const bytes = Buffer.concat([Buffer.from("\uFEFF"), Buffer.from(text)]);
          expect(await decoded(bytes, size)).toBe(text);
        },
      ),
    );
  });

  it("reads the encoding that was named", async () => {
    for (let size = 1; size <= GB18030.length; size += 1) {
      expect(await decoded(GB18030, size, "gb18030")).toBe("id,评论\n1,好");
    }
  });

  it("believes a byte order mark more than the name", async () => {
    expect(await decoded(Buffer.from(`\uFEFF${TEXT}`), 5, "gb18030")).toBe(TEXT);
  });

  it("reads UTF-16 without a mark when it is named", async () => {
    expect(await decoded(Buffer.from(TEXT, "utf16le"), 3, "utf-16le")).toBe(TEXT);
  });

  it("takes NUL bytes as data", async () => {
    const { records } = await readInput("a.csv", "id,text\n1,a\0b\n");
    expect(records[0]?.fields["text"]).toBe("a\0b");
  });

  it("names the line that is not UTF-8 and the way out", async () => {
    const bytes = Buffer.concat([
      Buffer.from("id,text\n1,é\n"),
      Buffer.from([0x32, 0x2c, 0xba, 0xc3, 0x0a]),
    ]);
    const message = await inputError("a.csv", bytes);
    expect(message).toContain("UsageError a.csv:3: not valid UTF-8.");
    expect(message).toContain("--encoding gb18030");
    expect(message).toContain("windows-1252");
  });

  it("refuses UTF-8 that ends inside a character", async () => {
    const bytes = Buffer.from("id\n评").subarray(0, -1);
    expect(await inputError("a.csv", bytes)).toContain("a.csv:2: not valid UTF-8.");
  });

  it("refuses bytes that the named encoding does not have", async () => {
    const bytes = Buffer.concat([Buffer.from("id\n1\n"), Buffer.from([0xff, 0x0a])]);
    expect(await inputError("a.csv", bytes, { encoding: "gb18030" })).toContain(
      "UsageError a.csv: not valid gb18030",
    );
  });

  it("refuses an encoding that nobody knows", async () => {
    expect(await inputError("a.csv", "id\n1\n", { encoding: "gb99" })).toContain(
      "UsageError --encoding gb99: unknown encoding.",
    );
  });
});
