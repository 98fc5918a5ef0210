import { mkdir, writeFile } from "node:fs/promises";
import { dirname, extname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { messageOf, UsageError } from "../errors.ts";
import { nameOfInput } from "../job/resolve.ts";
import type { Delimiter } from "../job/schema.ts";
import { RUNS_DIRECTORY } from "../run/directory.ts";
import { type DraftPlace, draftJob } from "../run/draft-job.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Made by the build, beside the commands. */
const SCHEMA = fileURLToPath(new URL("../job.schema.json", import.meta.url));

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
  const text = await draftJob(input, placeOf(path, input, io.workingDirectory), {
    ...(flags.encoding !== undefined && { encoding: flags.encoding }),
    ...(flags.delimiter !== undefined && { delimiter: flags.delimiter }),
  });
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: flags.force === true ? "w" : "wx" });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    const exists = code === "EEXIST" && syscall === "open";
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

/** What lies around a job file, as seen from it; with slashes, which Windows knows too. */
function placeOf(path: string, input: string, workingDirectory: string): DraftPlace {
  const from = (target: string): string =>
    relative(resolve(dirname(path)), resolve(target)).replaceAll("\\", "/");
  const schema = from(SCHEMA);
  return {
    name: nameOfInput(path),
    input: from(input),
    runs: from(join(workingDirectory, RUNS_DIRECTORY)),
    // On another drive of Windows.
    schema: isAbsolute(schema) ? pathToFileURL(SCHEMA).href : schema,
  };
}

function stem(path: string): string {
  return path
    .slice(dirname(path) === "." ? 0 : dirname(path).length + 1)
    .replace(extname(path), "");
}
