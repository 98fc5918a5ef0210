import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";

import { messageOf, UsageError } from "../errors.ts";

/** The file whose variables stand in for those that are not set. */
export interface DotEnv {
  readonly path: string;
  readonly exists: boolean;
}

/** Adds the variables of `.env` in a directory to others; those already set win. */
export function loadDotEnv(
  directory: string,
  variables: Record<string, string | undefined>,
): DotEnv {
  const path = resolve(directory, ".env");
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { path, exists: false };
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  // Editors and shells of Windows write a byte order mark, and UTF-16, which the decoder takes off.
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  const text = new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes);
  for (const [name, value] of Object.entries(parseEnv(text))) variables[name] ??= value;
  return { path, exists: true };
}
