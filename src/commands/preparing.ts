import type { Command } from "commander";

import { examples } from "./examples.ts";
import type { ExitCode, Io } from "./io.ts";
import { delimiterOption } from "./options.ts";

/** The commands that come before a first run. */
export function addPreparing(program: Command, io: Io, done: (code: ExitCode) => void): void {
  program
    .command("init")
    .description("write a commented job file from an input's header")
    .argument("<input>", "a CSV or JSONL file")
    .option("--out <file>", "where to write it; default: beside the input")
    .option("--encoding <name>", "encoding of the input, such as gb18030")
    .addOption(delimiterOption())
    .option("--force", "overwrite an existing job file")
    .addHelpText(
      "after",
      examples(
        "init reviews.csv",
        "init reviews.csv --out jobs/reviews.yaml",
        "init umfrage.csv --delimiter ';' --encoding gb18030",
      ),
    )
    .action(async (input: string, flags: object) => {
      const { initCommand } = await import("./init.ts");
      done(await initCommand(input, flags, io));
    });

  program
    .command("models")
    .description("list the models that the gateway offers to your key")
    .option("--base-url <url>", "address of the gateway (NIGHTSHIFT_BASE_URL)")
    .option("--json", "as NDJSON on stdout")
    .addHelpText("after", examples("models", "models --json"))
    .action(async (flags: object) => {
      const { modelsCommand } = await import("./models.ts");
      done(await modelsCommand(flags, io));
    });
}
