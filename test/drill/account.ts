import type { Sandbox, SandboxOptions } from "../../src/sandbox/sandbox.ts";
import type { Exit } from "../e2e/support/process.ts";
import { reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { RunDirectory } from "../e2e/support/run-directory.ts";
import { atMost, type Drill, exactly, type Finding, mustBe, told } from "./support/finding.ts";
import { checkOutcomes, paidTwice } from "./support/outcomes.ts";
import type { Site } from "./support/site.ts";
import { billed } from "./support/wait.ts";

type Call = ReturnType<Sandbox["ledger"]>[number];

/** One way in which an account fails, and what is asked of the run then. */
interface Case {
  readonly name: string;
  readonly broken: SandboxOptions;
  readonly key?: string;
  /** Calls at once. @default {@link CONCURRENCY} */
  readonly concurrency?: number;
  /** Something that goes wrong with a gateway after it has billed so many calls. */
  readonly midway?: { readonly after: number; readonly fault: string };
  readonly callsFor: readonly [what: string, most: number];
  /** Which calls count. */
  readonly counts: (calls: readonly Call[]) => number;
}

const GATEWAY: SandboxOptions = { latency: { ttftMs: 20, jitter: 0.5 } };
const CONCURRENCY = 64;
const FEWER_AT_ONCE = 32;
/**
 * The first refusal lets only one call at a time go, and five in a row stop the run. When it comes,
 * as many calls may be in flight as are allowed at once.
 */
const BETWEEN_ANSWERS = 5;
/** So much work is done when an account fails in the middle. */
const PAID_ITEMS = 500;
/** What the sandbox takes for a review's 22 tokens of prompt and 14 of answer. */
const PRICE_USD = 22 * 0.15e-6 + 14 * 0.6e-6;

const CASES: readonly Case[] = [
  {
    name: "wrong key",
    broken: GATEWAY,
    key: "sk-wrong",
    callsFor: ["calls", 20],
    counts: (calls) => calls.length,
  },
  {
    name: "balance empty",
    broken: { ...GATEWAY, balanceUsd: PAID_ITEMS * PRICE_USD },
    callsFor: ["calls after it went empty, 64 at once", CONCURRENCY + BETWEEN_ANSWERS],
    counts: refused,
  },
  {
    name: "balance empty",
    broken: { ...GATEWAY, balanceUsd: PAID_ITEMS * PRICE_USD },
    concurrency: FEWER_AT_ONCE,
    callsFor: ["calls after it went empty, 32 at once", 40],
    counts: refused,
  },
  {
    name: "unknown model",
    broken: { ...GATEWAY, models: ["gpt-4o"] },
    callsFor: ["calls", CONCURRENCY],
    counts: (calls) => calls.length,
  },
  {
    name: "model withdrawn midway",
    broken: GATEWAY,
    midway: { after: PAID_ITEMS, fault: "model503" },
    callsFor: ["calls after it was gone", CONCURRENCY + BETWEEN_ANSWERS],
    counts: refused,
  },
];

/** Lets the account fail in several ways; each run stops, and is continued by the same command. */
export const account: Drill = async (site, { short }) => {
  const items = short ? 700 : 2_000;
  await site.write("reviews.csv", reviewsCsv(items));
  const findings: Finding[] = [];
  for (const [at, each] of CASES.entries()) {
    findings.push(...(await fail(site, each, items, `run-${at}`)));
  }
  return findings;
};

async function fail(site: Site, each: Case, items: number, out: string): Promise<Finding[]> {
  await site.write(`${out}.yaml`, reviewsJob(`out: ${out}`));
  const { concurrency = CONCURRENCY } = each;
  const command = ["run", `${out}.yaml`, "--concurrency", String(concurrency)];
  const broken = await site.serve(each.broken);
  const stopped = await runUntilStop(site, broken, each, command);
  const before = broken.ledger();
  await broken.close();
  const good = await site.serve({ ...GATEWAY, port: broken.port });
  const finished = await site.nightshift(command);
  if (stopped.code !== 3) console.error(stopped.stderr);

  const [what, most] = each.callsFor;
  const run = new RunDirectory(site.path(out));
  const outcomes = await checkOutcomes(site, run, items);
  return [
    told(each.name, `${before.filter((call) => call.billed).length} items paid`),
    exactly("· exit", stopped.code ?? -1, 3),
    mustBe("· says what to do", stopped.stderr.includes("same command"), "no"),
    atMost(`· ${what}`, each.counts(before), most),
    exactly("· exit of the same command later", finished.code ?? -1, 0),
    exactly("· failed items", (await run.errors()).length, 0),
    ...outcomes.map((finding) => ({ ...finding, what: `· ${finding.what}` })),
    exactly("· items paid twice", paidTwice([...before, ...good.ledger()]), 0),
  ];
}

async function runUntilStop(
  site: Site,
  gateway: Sandbox,
  { key = "sk-demo", midway }: Case,
  command: readonly string[],
): Promise<Exit> {
  const running = site.start(command, { NIGHTSHIFT_API_KEY: key });
  if (midway !== undefined) {
    await billed(gateway, midway.after, running);
    gateway.script([{ fault: midway.fault, times: 1_000_000 }]);
  }
  return running.exit;
}

function refused(calls: readonly Call[]): number {
  return calls.filter(({ status }) => status >= 400).length;
}
