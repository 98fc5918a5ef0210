import { writeFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";

import { messageOf, UsageError } from "../errors.ts";
import type { Delimiter } from "../job/schema.ts";
import { draftJob } from "../run/draft-job.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Writes a commented job file for an input, beside it unless told otherwise. */
export async function initCommand(
  input: string,
  flags: {
    readonly out?: string;
    readonly encoding?: string;
    readonly delimiter?: Delimiter;
    readonly force?: boolean;
  },
  io: Io,
): Promise<ExitCode> {
  const bare = input.replace(/\.gz$/i, "");
  const path = flags.out ?? join(dirname(input), `${stem(bare)}.yaml`);
  const text = await draftJob(input, relative(dirname(path), input), {
    ...(flags.encoding !== undefined && { encoding: flags.encoding }),
    ...(flags.delimiter !== undefined && { delimiter: flags.delimiter }),
  });
  try {
    await writeFile(path, text, { flag: flags.force === true ? "w" : "wx" });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw new UsageError(
      exists
        ? `${path} exists already: name another file with --out, or overwrite it with --force.`
        : `${path} cannot be written: ${messageOf(error)}`,
      { cause: error },
    );
  }
  io.stderr.write(
    `${path} written. Look at it, then try:\n` +
      `  npx nightshift run ${path} --dry-run\n` +
      `  npx nightshift run ${path} --first 5\n`,
  );
  return EXIT.ok;
}

function stem(path: string): string {
  return path
    .slice(dirname(path) === "." ? 0 : dirname(path).length + 1)
    .replace(extname(path), "");
}
