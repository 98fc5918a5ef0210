import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { UsageError } from "../../../src/errors.ts";
import { loadDotEnv } from "../../../src/system/dot-env.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "nightshift-env-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const TEXT = "NIGHTSHIFT_API_KEY=sk-one\r\n# a comment\r\nOTHER='two words'\r\n";

it.each([
  ["plain", Buffer.from(TEXT)],
  ["with the byte order mark of Notepad", Buffer.from(`\uFEFF${TEXT}`)],
  ["as PowerShell writes it", Buffer.from(`\uFEFF${TEXT}`, "utf16le")],
])("reads .env, %s", async (_how, content) => {
  await writeFile(join(directory, ".env"), content);
  const variables = {};
  expect(loadDotEnv(directory, variables)).toEqual({ path: join(directory, ".env"), exists: true });
  expect(variables).toEqual({ NIGHTSHIFT_API_KEY: "sk-one", OTHER: "two words" });
});

it("lets the variables win that are set, also to nothing", async () => {
  await writeFile(join(directory, ".env"), "A=file\nB=file\nC=file\n");
  const variables = { A: "real", B: "" };
  loadDotEnv(directory, variables);
  expect(variables).toEqual({ A: "real", B: "", C: "file" });
});

it("says where it looked when there is none", () => {
  const variables = {};
  expect(loadDotEnv(directory, variables)).toEqual({
    path: join(directory, ".env"),
    exists: false,
  });
  expect(variables).toEqual({});
});

it("refuses one that cannot be read, by its path", async () => {
  await mkdir(join(directory, ".env"));
  expect(() => loadDotEnv(directory, {})).toThrow(UsageError);
  expect(() => loadDotEnv(directory, {})).toThrow(join(directory, ".env"));
});
