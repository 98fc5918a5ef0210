import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { matchingFiles, openInputs } from "../../../src/input/files.ts";
import { aWorkspace, errorOf, type Workspace } from "../run/jobs.ts";

async function read(paths: readonly string[]): Promise<string[]> {
  const input = await openInputs(paths);
  const found: string[] = [];
  for await (const records of input.batches()) {
    for (const { index, path, line, fields } of records) {
      found.push(`${index} ${path.split("/").at(-1)}:${line} ${String(fields["text"])}`);
    }
  }
  return found;
}

const inbox = async (workspace: Workspace, files: Record<string, string>): Promise<string[]> =>
  Promise.all(Object.entries(files).map(([name, text]) => workspace.write(name, text)));

describe("a pattern", () => {
  it("stands for the files that it matches, by name", async () => {
    await using workspace = await aWorkspace();
    await inbox(workspace, { "b.csv": "", "a.csv": "", "c.txt": "" });
    await mkdir(join(workspace.path, "d.csv"));
    const names = (await matchingFiles(join(workspace.path, "*.csv"))).map((one) => one.slice(-5));
    expect(names).toEqual(["a.csv", "b.csv"]);
    expect(await matchingFiles(join(workspace.path, "?.csv"))).toHaveLength(2);
    expect(await matchingFiles(join(workspace.path, "{a,c}.*"))).toHaveLength(2);
  });

  it("is a name where a file is called so", async () => {
    await using workspace = await aWorkspace();
    const [path = ""] = await inbox(workspace, { "data[1].csv": "", "data1.csv": "" });
    expect(await matchingFiles(path)).toEqual([path]);
  });

  it("that matches nothing is an error", async () => {
    await using workspace = await aWorkspace();
    const path = join(workspace.path, "*.csv");
    expect(await errorOf(matchingFiles(path))).toBe(
      `UsageError: ${path}: no file matches. Check the path.`,
    );
  });
});

describe("several files", () => {
  it("are one input, numbered through, each record with its own file and line", async () => {
    await using workspace = await aWorkspace();
    const paths = await inbox(workspace, { "a.csv": "text\none\ntwo\n", "b.csv": "text\nthree\n" });
    expect(await read(paths)).toEqual(["0 a.csv:2 one", "1 a.csv:3 two", "2 b.csv:2 three"]);
  });

  it("with other columns are refused, and both are named", async () => {
    await using workspace = await aWorkspace();
    const paths = await inbox(workspace, {
      "a.csv": "id,text\n1,one\n",
      "b.csv": "text,id\none,1\n",
    });
    const text = await errorOf(read(paths));
    expect(text).toContain(`${paths[1]}:1: its header differs from that of ${paths[0]}`);
    expect(text).toContain("text, id instead of id, text");
  });

  it("of two kinds are refused, and both are named", async () => {
    await using workspace = await aWorkspace();
    const paths = await inbox(workspace, { "a.csv": "text\none\n", "b.jsonl": '{"text":"two"}\n' });
    const text = await errorOf(read(paths));
    expect(text).toContain(`${paths[1]}: is not of the same kind as ${paths[0]}`);
  });
});
