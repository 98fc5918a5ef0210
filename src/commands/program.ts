import { Command } from "commander";

import { parseAddress } from "../queue/address.ts";
import { VERSION } from "../system/version.ts";
import { addHousekeeping } from "./housekeeping.ts";
import type { ExitCode, Io } from "./io.ts";
import { addLooking } from "./looking.ts";
import { addPreparing } from "./preparing.ts";
import { addRehearsing } from "./rehearsing.ts";
import { addRunning } from "./running.ts";
import { addScheduling } from "./scheduling.ts";
import { addShared } from "./sharing.ts";

/** The command tree: flags, help and which function answers; nothing else. */
export function createProgram(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command("nightshift")
    .description("Runs a file of prompts through an OpenAI-compatible gateway: every answer, once.")
    .version(VERSION)
    .showHelpAfterError("(--help tells more)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .addHelpText("after", PROGRAM_HELP)
    .hook("preAction", (_program, command) => {
      const { redis } = command.opts<{ readonly redis?: string }>();
      if (redis !== undefined && parseAddress(redis).password !== null) {
        io.stderr.write(`warning: ${PASSWORD_SHOWS}\n`);
      }
    });

  addRunning(program, io, done);
  addLooking(program, io, done);
  addShared(program, io, done);
  addPreparing(program, io, done);
  addScheduling(program, io, done);
  addHousekeeping(program, io, done);
  addRehearsing(program, io, done);
  return program;
}

const PASSWORD_SHOWS =
  "a password in --redis shows in the machine's list of processes and in the shell's history: " +
  "put the address into NIGHTSHIFT_REDIS_URL, in the environment or in .env";

const PROGRAM_HELP = `
Examples:
  $ nightshift init reviews.csv                  a job file to start from
  $ nightshift run reviews.yaml --dry-run        what it would ask and cost
  $ nightshift run reviews.yaml                  run it; the same again continues it
  $ nightshift status                            all runs below runs/
  $ nightshift sandbox                           a gateway to rehearse with, free

The key is read from NIGHTSHIFT_API_KEY (in the environment or in .env), never from a flag.
Exit codes: 0 all completed, 1 wrong usage or input, 2 some items failed, 3 stopped but resumable.`;
