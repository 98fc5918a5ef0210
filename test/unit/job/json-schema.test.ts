import { readFile } from "node:fs/promises";

import { expect, it } from "vitest";

import { writeJsonSchema } from "../../../src/job/json-schema.ts";
import { jobFileSchema } from "../../../src/job/schema.ts";
import { aWorkspace } from "../run/jobs.ts";

interface Schema {
  readonly title: string;
  readonly required: readonly string[];
  readonly additionalProperties: boolean;
  readonly properties: Readonly<Record<string, { readonly description?: string }>>;
}

async function written(): Promise<Schema> {
  await using workspace = await aWorkspace();
  const path = `${workspace.path}/job.schema.json`;
  writeJsonSchema(path);
  return JSON.parse(await readFile(path, "utf8")) as Schema;
}

it("describes every field of a job file to editors", async () => {
  const { properties } = await written();
  expect(Object.keys(properties)).toEqual(Object.keys(jobFileSchema.shape));
  const silent = Object.entries(properties).filter(([, { description }]) => !description);
  expect(silent.map(([name]) => name)).toEqual(["limits", "retry"]);
});

it("demands the input only, and knows a misspelt field", async () => {
  const { required, additionalProperties, title } = await written();
  expect([required, additionalProperties, title]).toEqual([["input"], false, "Nightshift job"]);
});
