// `npm run demo`: a run from beginning to end against the stand-in gateway; no key, no network.
import { interrupted, watchStop } from "./commands/interrupted.ts";
import { runCommand } from "./commands/run.ts";
import { parseAnswerTemplate } from "./sandbox/answer.ts";
import { startSandbox } from "./sandbox/sandbox.ts";
import { readEnvironment } from "./system/env.ts";

const JOB = "jobs/reviews.yaml";
/** A gateway on an ordinary day: every fault here goes away when it is asked again. */
const FAULTS = { "429": 0.01, "500": 0.02, "502": 0.01, reset: 0.01, cut: 0.01 };

const sandbox = await startSandbox({
  seed: 7,
  chaos: FAULTS,
  latency: { ttftMs: 150, tokensPerSecond: 400, jitter: 0.4 },
  limits: { retryAfter: "seconds" },
  answer: parseAnswerTemplate("label:positive,negative,neutral"),
});
const stop = new AbortController();
process.once("SIGINT", () => stop.abort(interrupted("SIGINT")));
process.stderr.write(
  `A stand-in gateway with a few faults is at ${sandbox.url}.\n` +
    `$ npx nightshift run ${JOB} --new\n\n`,
);
const environment = readEnvironment();
process.exitCode = await runCommand(
  JOB,
  { new: true },
  {
    stdout: process.stdout,
    stderr: process.stderr,
    signal: stop.signal,
    stopNotice: watchStop(stop.signal, process.stderr),
    typed: (text) => text,
    environment: {
      ...environment,
      nightshiftApiKey: "sk-demo",
      nightshiftBaseUrl: sandbox.url,
      redisUrl: null,
      // Each demo has another port: what it learns of that gateway helps no later run.
      stateDirectory: null,
    },
    workingDirectory: process.cwd(),
    color: process.stderr.isTTY && !environment.noColor,
  },
);
await sandbox.close();
