/** `npm run bench -- [case...]`: measures Nightshift beside its peers and prints tables. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { limits } from "./cases/limits.ts";
import { memory } from "./cases/memory.ts";
import { reuse } from "./cases/reuse.ts";
import { shared } from "./cases/shared.ts";
import { size } from "./cases/size.ts";
import { speed } from "./cases/speed.ts";
import { start } from "./cases/start.ts";
import { workers } from "./cases/workers.ts";
import type { Bench, Case } from "./harness/bench.ts";
import { type Contender, contenders } from "./harness/contenders.ts";
import { hasRedis, startGateway } from "./harness/service.ts";
import { warmUp } from "./harness/warm-up.ts";

const CASES: Readonly<Record<string, Case>> = {
  speed,
  memory,
  start,
  size,
  limits,
  reuse,
  shared,
  workers,
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    items: { type: "string" },
    runs: { type: "string" },
    concurrency: { type: "string", default: "64" },
    only: { type: "string", multiple: true },
    row: { type: "string", multiple: true, default: [] },
    cli: { type: "string", default: join(import.meta.dirname, "../dist/cli.js") },
    gateway: { type: "string" },
  },
});

const wanted = positionals.length === 0 ? Object.keys(CASES) : positionals;
const cases = wanted.map((name) => [name, caseNamed(name)] as const);
const cli = resolve(flags.cli);

const directory = mkdtempSync(join(tmpdir(), "nightshift-bench-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

preparePeers();
const available = await availableContenders();
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown CPU"}`);
for (const [name, run] of cases) {
  const gateway = await startGateway(resolve(flags.gateway ?? cli));
  try {
    await warmUp(gateway.url);
    console.log(`\n${await run(benchAt(gateway.url))}`);
  } catch (error) {
    fail(`${name} failed`, error);
  } finally {
    await gateway.stop();
  }
}

function caseNamed(name: string): Case {
  const found = CASES[name];
  if (found === undefined) {
    throw new Error(`no case \`${name}\`; there are ${Object.keys(CASES).join(", ")}`);
  }
  return found;
}

/** Installs the peers at first use and whenever their lockfile has changed, and compiles them. */
function preparePeers(): void {
  const npm = (...args: string[]): void => {
    execFileSync("npm", args, { cwd: import.meta.dirname, stdio: ["ignore", "ignore", "inherit"] });
  };
  const installed = join(import.meta.dirname, "node_modules/.package-lock.json");
  const lock = join(import.meta.dirname, "package-lock.json");
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
    note("installing the peers");
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
  }
  npm("run", "build");
}

async function availableContenders(): Promise<Contender[]> {
  const all = contenders(cli).filter(({ name }) => flags.only?.includes(name) ?? true);
  const redis = await hasRedis();
  return all.filter((contender) => {
    const missing = [
      ...(contender.needsRedis && !redis ? ["no redis-server on this machine"] : []),
      ...(contender.name.startsWith("nightshift") && !existsSync(cli) ? [`no ${cli}`] : []),
    ];
    if (missing.length > 0) note(`skipped ${contender.name}: ${missing.join(", ")}`);
    return missing.length === 0;
  });
}

function benchAt(gateway: string): Bench {
  return {
    gateway,
    directory,
    contenders: available,
    cli,
    rows: flags.row,
    items: flags.items === undefined ? null : count("items", flags.items),
    runs: flags.runs === undefined ? null : count("runs", flags.runs),
    concurrency: count("concurrency", flags.concurrency),
    note,
    fail,
  };
}

function count(flag: string, given: string): number {
  const number = Number(given);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`--${flag} must be a whole number above 0, got \`${given}\``);
}

function note(text: string): void {
  console.error(text);
}

function fail(text: string, error: unknown): void {
  process.exitCode = 1;
  note(`${text}: ${error instanceof Error ? error.message : String(error)}`);
}
