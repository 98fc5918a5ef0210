import { writeFileSync } from "node:fs";

import * as z from "zod";

import { jobFileSchema } from "./schema.ts";

/** Writes the JSON Schema of job files, by which editors complete and check them. */
export function writeJsonSchema(path: string): void {
  const schema = z.toJSONSchema(jobFileSchema, { io: "input" });
  writeFileSync(path, `${JSON.stringify({ title: "Nightshift job", ...schema }, null, 2)}\n`);
}
