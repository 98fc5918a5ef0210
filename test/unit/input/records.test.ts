import { createHash } from "node:crypto";
import { mkdir, readdir, readlink, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { openInput } from "../../../src/input/records.ts";
import { inputDirectory, inputError, readInput } from "./files.ts";

/** More than the reader takes at once. */
const LONG_CSV = `id\n${Array.from({ length: 200_000 }, (_, at) => `row-${at}\n`).join("")}`;

/** Whether this process has the file open. */
async function isOpen(path: string): Promise<boolean> {
  const links = (await readdir("/proc/self/fd")).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ""),
  );
  return (await Promise.all(links)).includes(path);
}

describe("an input file", () => {
  it.each([
    ["a.csv.gz", "id\n1\n"],
    ["a.TSV.GZ", "id\n1\n"],
    ["a.jsonl.gz", '{"id":"1"}\n'],
    ["a.NDJSON", '{"id":"1"}\n'],
  ])("is read by its name: %s", async (name, text) => {
    const content = /gz$/i.test(name) ? gzipSync(text) : text;
    const { records } = await readInput(name, content);
    expect(records[0]?.fields).toEqual({ id: "1" });
  });

  it("comes in order, in batches of at most 256", async () => {
    await using directory = await inputDirectory();
    const path = directory.path("a.csv");
    await writeFile(path, LONG_CSV);
    let next = 0;
    for await (const batch of (await openInput(path)).batches()) {
      expect(batch.length).toBeLessThanOrEqual(256);
      for (const { index, fields } of batch) {
        if (index !== next || fields["id"] !== `row-${next}`) throw new Error(`lost ${next}`);
        next += 1;
      }
    }
    expect(next).toBe(200_000);
  });

  it.each(["a.csv", "a.csv.gz"])("shows every raw byte of %s once", async (name) => {
    const content = name.endsWith("gz") ? gzipSync(LONG_CSV) : Buffer.from(LONG_CSV);
    const hash = createHash("sha256");
    await readInput(name, content, { onBytes: (chunk) => hash.update(chunk) });
    expect(hash.digest("hex")).toBe(createHash("sha256").update(content).digest("hex"));
  });

  it.each(["a.txt", "a.xlsx", "a.json", "csv", "a.gz"])("refuses the name %s", async (name) => {
    expect(await inputError(name, "id\n1\n")).toContain(".csv, .tsv, .jsonl and .ndjson");
  });

  it("tells how a JSON array becomes lines", async () => {
    expect(await inputError("a.json", "[]")).toContain("`jq -c '.[]' file.json > file.jsonl`");
  });

  it.each([
    ["a.csv", "504b0304", "a workbook"],
    ["a.csv", "d0cf11e0a1b11ae1", "an old workbook"],
    ["a.csv.gz", "504b0304", "a ZIP archive"],
    ["a.jsonl", "504b0304", "a ZIP archive"],
  ])("knows %s that begins with %s for %s", async (name, magic) => {
    const content = Buffer.concat([Buffer.from(magic, "hex"), Buffer.alloc(100)]);
    expect(await inputError(name, content)).toContain('Save the spreadsheet as "CSV UTF-8"');
  });

  it("says that a file is missing", async () => {
    await expect(openInput("/nowhere/a.csv")).rejects.toThrow("/nowhere/a.csv: no such file.");
  });

  it("says that it is a directory", async () => {
    await using directory = await inputDirectory();
    await mkdir(directory.path("a.csv"));
    await expect(openInput(directory.path("a.csv"))).rejects.toThrow("a.csv: is a directory.");
  });

  it.each([
    [Buffer.from("id\n1\n"), "a.csv.gz: is no gzip file"],
    [gzipSync(LONG_CSV).subarray(0, 1000), "a.csv.gz: the gzip data breaks off."],
  ])("says what is wrong with damaged gzip data (%#)", async (content, message) => {
    expect(await inputError("a.csv.gz", content)).toContain(`UsageError ${message}`);
  });
});

describe.runIf(process.platform === "linux").each(["a.csv", "a.csv.gz"])(
  "the handle of %s",
  (name) => {
    const content = name.endsWith("gz") ? gzipSync(LONG_CSV, { level: 0 }) : LONG_CSV;

    it("is closed when the loop ends early", async () => {
      await using directory = await inputDirectory();
      await writeFile(directory.path(name), content);
      const input = await openInput(directory.path(name));
      expect(await isOpen(directory.path(name))).toBe(true);
      for await (const _batch of input.batches()) break;
      expect(await isOpen(directory.path(name))).toBe(false);
    });

    it("is closed when the loop throws", async () => {
      await using directory = await inputDirectory();
      await writeFile(directory.path(name), content);
      const input = await openInput(directory.path(name));
      const loop = async (): Promise<void> => {
        for await (const batch of input.batches())
          if ((batch[0]?.index ?? 0) > 500) throw new Error("stop");
      };
      await expect(loop()).rejects.toThrow("stop");
      expect(await isOpen(directory.path(name))).toBe(false);
    });

    it("is closed by close", async () => {
      await using directory = await inputDirectory();
      await writeFile(directory.path(name), content);
      await (await openInput(directory.path(name))).close();
      expect(await isOpen(directory.path(name))).toBe(false);
    });

    it("is closed when the signal aborts, and the loop throws its reason", async () => {
      await using directory = await inputDirectory();
      await writeFile(directory.path(name), content);
      const abort = new AbortController();
      const input = await openInput(directory.path(name), { signal: abort.signal });
      const loop = async (): Promise<void> => {
        for await (const _batch of input.batches()) abort.abort(new Error("enough"));
      };
      await expect(loop()).rejects.toThrow("enough");
      expect(await isOpen(directory.path(name))).toBe(false);
    });
  },
);
