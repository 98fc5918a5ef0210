import { type Command, Option } from "commander";

import { EXIT, type ExitCode, type Io } from "./io.ts";
import {
  millisecondsOrRange,
  nonNegative,
  port,
  positive,
  positiveInteger,
  wholeNumber,
} from "./options.ts";

/** The stand-in gateway. */
export function addRehearsing(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const list = (text: string): string[] => text.split(",").map((name) => name.trim());
  program
    .command("sandbox")
    .description("serve a stand-in gateway on this machine, for rehearsals and tests")
    .option("--port <n>", "port on 127.0.0.1; 0 takes any", port, 8787)
    .option("--seed <n>", "chance that repeats", wholeNumber)
    .option("--chaos <rates>", "faults by rate: 429=0.05,500=0.02,timeout=0.01")
    .option("--ttft <ms>", "milliseconds to the first token, or 200-400", millisecondsOrRange)
    .option("--tps <n>", "tokens per second", positive)
    .option("--jitter <sigma>", "log-normal spread of both", nonNegative)
    .option("--rpm <n>", "requests per minute and key", positive)
    .option("--tpm <n>", "tokens per minute and key", positive)
    .option("--max-concurrency <n>", "calls at once per key", positiveInteger)
    .option("--limit-window <ms>", "within which rpm and tpm hold (default: a minute)", positive)
    .option("--burst <n>", "a token bucket of this size instead of a sliding window", positive)
    .addOption(
      new Option("--retry-after <form>", "what a 429 tells").choices([
        "none",
        "seconds",
        "ms",
        "http-date",
      ]),
    )
    .addOption(
      new Option("--rate-headers <kind>", "x-ratelimit headers").choices(["none", "openai"]),
    )
    .addOption(
      new Option("--limit-body <kind>", "body of a 429").choices(["json", "empty", "html"]),
    )
    .option("--balance <usd>", "US dollars on each account", nonNegative)
    .option("--models <names>", "comma-separated", list)
    .addOption(
      new Option("--profile <name>", "which gateway software it imitates").choices([
        "newapi",
        "oneapi",
        "sub2api",
        "openai",
      ]),
    )
    .option("--answer <template>", "echo, label:a,b, json or lorem:200")
    .option("--no-ledger", "keep counters only, not every call")
    .option("--json", "events as NDJSON on stdout")
    .option("--quiet", "say nothing")
    .addHelpText("after", SANDBOX_HELP)
    .action(async (flags: object) => {
      const { sandbox } = await import("./sandbox.ts");
      await sandbox(flags, io);
      done(EXIT.ok);
    });
}

const SANDBOX_HELP = `
Examples:
  $ nightshift sandbox --chaos 429=0.05,500=0.02,timeout=0.01 --ttft 200
  $ NIGHTSHIFT_BASE_URL=http://127.0.0.1:8787/v1 NIGHTSHIFT_API_KEY=sk-demo nightshift run jobs/reviews.yaml

Keys: sk-demo (no limits), sk-rpm60, sk-tpm, sk-broke, sk-lowbalance, sk-expired, sk-limited.`;
