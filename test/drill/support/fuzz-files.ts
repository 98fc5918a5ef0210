import { gzipSync } from "node:zlib";

import * as fc from "fast-check";

import type { ResolvedJob } from "../../../src/job/resolved-job.ts";

/** A file and what reading it must give. */
export interface FuzzFile {
  readonly extension: string;
  readonly bytes: Uint8Array;
  readonly job: Partial<ResolvedJob>;
  /** The items in order; null where the file may be refused. */
  readonly expected: readonly { readonly id: string; readonly prompt: string }[] | null;
}

/** Every character, and those that files stumble over rather often. */
const wildText = fc.string({
  unit: fc.oneof(
    { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.constantFrom(...Array.from('",\n\r\t\0\ufeff\u2028;\\{}% 审')) },
    { weight: 2, arbitrary: fc.constantFrom("\r\n", '""', "{{ text }}", "👍🏽", "\u0301") },
    { weight: 5, arbitrary: fc.constantFrom(...Array.from("abc 123")) },
  ),
  maxLength: 30,
});

const anId = wildText.filter((text) => text.trim() !== "");

interface Row {
  readonly id: string;
  readonly text: string;
  readonly more: readonly string[];
}

const rows: fc.Arbitrary<readonly Row[]> = fc.uniqueArray(
  fc.record({
    id: anId,
    text: wildText,
    more: fc.array(wildText, { minLength: 3, maxLength: 3 }),
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 12 },
);

const PROMPT = "Say {{ text }}!";
const MESSAGES = [{ role: "user" as const, content: PROMPT }];

const aWrapping = fc.oneof(
  { weight: 4, arbitrary: fc.constant("plain") },
  { weight: 2, arbitrary: fc.constantFrom("bom", "gzip", "utf-16le") },
);

/** A sound CSV or TSV, however it may be written. */
const aSheet: fc.Arbitrary<FuzzFile> = fc
  .record({
    rows,
    idColumn: fc.constantFrom("custom_id", "id", "name of it", null),
    moreColumns: fc.array(
      wildText.filter((name) => !["text", "id", "custom_id", "name of it"].includes(name)),
      { maxLength: 3 },
    ),
    textFirst: fc.boolean(),
    kind: fc.constantFrom("csv", "tsv"),
    eol: fc.constantFrom("\n", "\r\n", "\r"),
    endsWithEol: fc.boolean(),
    quoteAll: fc.boolean(),
    wrapping: aWrapping,
  })
  .map((sheet) => {
    const { idColumn, moreColumns, textFirst } = sheet;
    const columns = [...(idColumn === null ? [] : [idColumn]), ...moreColumns];
    const header = textFirst ? ["text", ...columns] : [...columns, "text"];
    const lines = sheet.rows.map(({ id, text, more }) => {
      const values = [...(idColumn === null ? [] : [id]), ...more.slice(0, moreColumns.length)];
      return textFirst ? [text, ...values] : [...values, text];
    });
    const delimiter = sheet.kind === "csv" ? "," : "\t";
    const content = [header, ...lines]
      .map((cells) => cells.map((cell) => quoted(cell, delimiter, sheet.quoteAll)).join(delimiter))
      .join(sheet.eol);
    return {
      ...wrapped(content + (sheet.endsWithEol ? sheet.eol : ""), sheet.kind, sheet.wrapping),
      job: {
        messages: MESSAGES,
        id: idColumn === "name of it" ? '{{ ["name of it"] }}' : null,
      },
      expected: sheet.rows.map(({ id, text }, at) => ({
        id: idColumn === null ? String(at) : id,
        prompt: `Say ${text}!`,
      })),
    };
  });

/** A sound JSONL, of any of the three kinds of lines. */
const aJsonl: fc.Arbitrary<FuzzFile> = fc
  .record({
    rows: fc.uniqueArray(
      fc.record({
        id: anId,
        text: fc.oneof(wildText, fc.string({ unit: fc.constantFrom("\ud800", "\udc00", "a") })),
        kind: fc.constantFrom("record", "body", "batch"),
        more: fc.dictionary(wildText.filter(isFree), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
      }),
      { selector: ({ id }) => id, minLength: 1, maxLength: 12 },
    ),
    eol: fc.constantFrom("\n", "\r\n", "\n\n"),
    endsWithEol: fc.boolean(),
    extension: fc.constantFrom("jsonl", "ndjson"),
    wrapping: aWrapping,
  })
  .map(({ rows, eol, endsWithEol, extension, wrapping }) => {
    const lines = rows.map(({ id, text, kind, more }) => {
      if (kind === "record") return { ...more, custom_id: id, text };
      const messages = [{ role: "user", content: `Say ${text}!` }];
      if (kind === "body") return { ...more, custom_id: id, messages };
      const url = "/v1/chat/completions";
      return { custom_id: id, method: "POST", url, body: { ...more, messages } };
    });
    const content = lines.map((line) => JSON.stringify(line)).join(eol) + (endsWithEol ? eol : "");
    return {
      ...wrapped(content, extension, wrapping),
      job: { messages: MESSAGES },
      expected: rows.map(({ id, text }) => ({ id, prompt: `Say ${text}!` })),
    };
  });

/** Tables that must be read exactly as they were written. */
export const aTable: fc.Arbitrary<FuzzFile> = fc.oneof(aSheet, aJsonl);

/** A sound file with some damage: it may be refused, or read as something else, but not worse. */
export const aBrokenFile: fc.Arbitrary<FuzzFile> = fc
  .tuple(aTable, fc.array(fc.tuple(fc.nat(10), fc.nat(), fc.nat()), { minLength: 1, maxLength: 2 }))
  .map(([file, damages]) => {
    let bytes: Buffer = Buffer.from(file.bytes);
    for (const [kind, at, other] of damages) bytes = damaged(bytes, kind, at, other);
    return { ...file, bytes, expected: null };
  });

/** Any bytes under any name. */
export const anyBytes: fc.Arbitrary<FuzzFile> = fc
  .record({
    extension: fc.constantFrom("csv", "tsv", "jsonl", "ndjson", "csv.gz", "jsonl.gz"),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      wildText.map((text) => Buffer.from(`text\n${text}`)),
      fc.array(wildText, { maxLength: 8 }).map((texts) => Buffer.from(texts.join("\n"))),
      fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    ),
    repeat: fc.constantFrom(1, 1, 1, 2, 500),
  })
  .map(({ extension, bytes, repeat }) => {
    const all = Buffer.concat(Array.from({ length: repeat }, () => bytes));
    return {
      extension,
      bytes: extension.endsWith(".gz") && all.length % 2 === 0 ? gzipSync(all) : all,
      job: { messages: MESSAGES },
      expected: null,
    };
  });

function quoted(cell: string, delimiter: string, always: boolean): string {
  const needs =
    cell === "" || /["\r\n]/.test(cell) || cell.includes(delimiter) || cell.startsWith("\ufeff");
  return always || needs ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function wrapped(
  content: string,
  extension: string,
  wrapping: string,
): Pick<FuzzFile, "extension" | "bytes"> {
  switch (wrapping) {
    case "bom":
      return { extension, bytes: Buffer.from(`\ufeff${content}`) };
    case "gzip":
      return { extension: `${extension}.gz`, bytes: gzipSync(content) };
    case "utf-16le":
      return { extension, bytes: Buffer.from(`\ufeff${content}`, "utf16le") };
    default:
      return { extension, bytes: Buffer.from(content) };
  }
}

/** Names that mean nothing to a request. */
function isFree(name: string): boolean {
  return !["custom_id", "id", "messages", "body", "method", "url", "text", "model"].includes(name);
}

function damaged(bytes: Buffer, kind: number, at: number, other: number): Buffer {
  const here = bytes.length === 0 ? 0 : at % bytes.length;
  const there = bytes.length === 0 ? 0 : other % bytes.length;
  const [before, after] = [bytes.subarray(0, here), bytes.subarray(here)];
  const insert = (...added: number[]): Buffer => Buffer.concat([before, Buffer.from(added), after]);
  switch (kind) {
    case 0:
      return Buffer.from(before);
    case 1:
      return insert(0x22);
    case 2:
      return insert(0);
    case 3:
      return insert(0xef, 0xbb, 0xbf);
    case 4:
      return insert(0x0d);
    case 5:
      return insert(0x0a);
    case 6:
      return insert(other % 256);
    case 7:
      return Buffer.concat([before, after.subarray(1)]);
    case 8: {
      const swapped = Buffer.from(bytes);
      swapped[here] = bytes[there] ?? 0;
      swapped[there] = bytes[here] ?? 0;
      return swapped;
    }
    case 9:
      return Buffer.concat([bytes, bytes.subarray(there)]);
    default:
      return Buffer.from(bytes.toString("latin1").replaceAll('"', '""'), "latin1");
  }
}
