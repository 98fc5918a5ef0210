import { CommanderError } from "commander";

import { RunStopped } from "../errors.ts";
import { readEnvironmentIn } from "../system/env.ts";
import { renderError } from "../terminal/error-text.ts";
import { withTypedCommands } from "../terminal/typed-commands.ts";
import { watchStop } from "./interrupted.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";
import { createProgram } from "./program.ts";

/**
 * Runs one command line.
 *
 * @returns the exit code; whatever was thrown on the way has been told on stderr.
 */
export async function main(argv: readonly string[], signal: AbortSignal): Promise<number> {
  let color = false;
  let typed = (text: string): string => text;
  const stopNotice = watchStop(signal, process.stderr);
  try {
    const workingDirectory = process.cwd();
    const environment = readEnvironmentIn(workingDirectory);
    color = process.stderr.isTTY && !environment.noColor;
    typed = (text) => withTypedCommands(text, environment.launcher);
    const io: Io = {
      // What programs read stays as it is.
      stdout: argv.includes("--json") ? process.stdout : typing(process.stdout, typed),
      stderr: typing(process.stderr, typed),
      signal,
      stopNotice,
      environment,
      typed,
      workingDirectory,
      color,
    };
    let code: ExitCode = EXIT.ok;
    const program = createProgram(io, (result) => (code = result));
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    // Commander has told already what was wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(typed(`${renderError(error, { color })}\n`));
    return error instanceof RunStopped ? EXIT.stopped : EXIT.usage;
  }
}

/** A stream for people, which has what is typed in its texts as it is typed here. */
function typing(stream: NodeJS.WriteStream, typed: (text: string) => string): Io["stderr"] {
  return {
    write: (text) => stream.write(typed(text)),
    // Asked each time: a terminal may change its size.
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.columns;
    },
    get rows() {
      return stream.rows;
    },
  };
}
