import type { ErrorContext } from "../../src/sandbox/error-answer.ts";
import { errorAnswer } from "../../src/sandbox/errors.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { Random } from "../../src/system/random.ts";
import { answerTo, reviewsCsv, reviewsJob } from "../e2e/support/reviews.ts";
import { RunDirectory } from "../e2e/support/run-directory.ts";
import { atLeast, type Drill, exactly, type Finding, told } from "./support/finding.ts";
import { checkOutcomes } from "./support/outcomes.ts";
import type { Site } from "./support/site.ts";

type Call = ReturnType<Sandbox["ledger"]>[number];
type Rule = Parameters<Sandbox["script"]>[0][number];

const TIMEOUT = "1s";

/** What goes away when the call is made again, and leaves no doubt whether it was billed. */
const REFUSALS = [
  "408 409 425 429-tokens 500 500-body 500-channel 502",
  "504 520 521 522 523 524 525 526 527 530 reset",
]
  .join(" ")
  .split(" ");
/** An answer was on its way: *possibly billed*, so that no item is asked more than three times. */
const LOST_ANSWERS = "cut timeout garbage error200 nochoices emptychoices".split(" ");
const LOST_STREAMS = "F1 F2 F3 F4 F5 F6 F7 F8 F9".split(" ");
const MOST_LOST_ANSWERS = 3;
/** An edge that gave up waiting: behind it the gateway went on, and billed. */
const EDGE_TIMEOUTS = ["504", "524"];
/** An answer that is charged like any other, and that its item does not have. */
const WITHHELD = "content_filter";
/** As answers from elsewhere they would close the gate for seconds each: scripted, they say how long. */
const THROTTLES = "429 429-empty 429-saturated 429-concurrency 503 529".split(" ");
const THROTTLE_MS = 20;
/** What no further call can mend: 20 items bear such a mark. */
const HOPELESS = "400 400-filter context blocked 413 413-nginx content_filter 429-too-large".split(
  " ",
);
const HOPELESS_ITEMS = 20;

/** Everything that can go wrong with a call and be mended by another, all together. */
export const faults: Drill = async (site, { random, seed, short }) => {
  // Pauses double with each attempt: fewer faults end sooner.
  const [items, rate] = short ? [200, 0.005] : [10_000, 0.01];
  const hopeless = chooseHopeless(items, random);
  await site.write(
    "reviews.csv",
    reviewsCsv(items, (index) => hopeless.get(index) ?? ""),
  );
  // Both at once: most of the time they wait for the time of another attempt.
  const [whole, streamed] = await Promise.all([
    sitThrough(site, { items, rate, seed, hopeless, stream: false }),
    sitThrough(site, { items, rate, seed, hopeless, stream: true }),
  ]);
  return [...whole, ...streamed];
};

interface Setting {
  readonly items: number;
  /** Share of all calls that each fault takes. */
  readonly rate: number;
  readonly seed: number;
  /** The mark in the prompt, by index. */
  readonly hopeless: ReadonlyMap<number, string>;
  readonly stream: boolean;
}

async function sitThrough(site: Site, setting: Setting): Promise<Finding[]> {
  const { items, rate, seed, stream } = setting;
  const out = stream ? "streamed" : "whole";
  await site.write(`${out}.yaml`, reviewsJob(`out: ${out}`, "retry: { attempts: 12 }"));
  const names = [...REFUSALS, ...LOST_ANSWERS, ...(stream ? LOST_STREAMS : [])];
  const gateway = await site.serve({
    seed,
    chaos: Object.fromEntries(names.map((name) => [name, rate])),
    latency: { ttftMs: 5, jitter: 0.5 },
  });
  gateway.script(throttles(items, rate));
  const command = ["run", `${out}.yaml`, "--timeout", TIMEOUT];
  const { code, stderr } = await site.nightshift(stream ? [...command, "--stream"] : command, {
    NIGHTSHIFT_BASE_URL: gateway.url,
  });
  if (code !== 2) console.error(stderr);
  const run = new RunDirectory(site.path(out));
  const findings = await compare(site, run, gateway.ledger(), setting);
  return [
    told(`answers ${out}`, `${gateway.stats().requests} calls for ${items} items`),
    ...[exactly("exit", code ?? -1, 2), ...findings].map((finding) => ({
      ...finding,
      what: `· ${finding.what}`,
    })),
  ];
}

/** Puts what the run says beside what the gateway did. */
async function compare(
  site: Site,
  run: RunDirectory,
  calls: readonly Call[],
  { items, hopeless, stream }: Setting,
): Promise<Finding[]> {
  const lost = new Set([...LOST_ANSWERS, ...(stream ? LOST_STREAMS : [])]);
  const isLost = ({ fault }: Call): boolean => fault !== null && lost.has(fault);
  const isSound = ({ fault, billed }: Call): boolean =>
    billed && (fault === null || (!stream && LOST_STREAMS.includes(fault)));
  const billedWithoutAnswer = calls.filter((call) => call.billed && isLost(call));
  const unbilledWithoutAnswer = calls.filter((call) => !call.billed && isLost(call));
  const givenUp = [...countBy(calls.filter(isLost), ({ row }) => row).values()].filter(
    (times) => times >= MOST_LOST_ANSWERS,
  );
  const sound = calls.filter(isSound);
  const withheld = calls.filter((call) => call.billed && call.fault === WITHHELD);
  const behindEdges = calls.filter(({ fault }) => EDGE_TIMEOUTS.includes(fault ?? ""));

  const errors = await run.errors();
  const usage = await run.usage();
  const met = new Set(calls.map(({ fault }) => fault));
  const wantedFaults = [...REFUSALS, ...lost, "script"];
  return [
    // A few hundred items do not meet every kind.
    atLeast(
      "kinds of faults met",
      wantedFaults.filter((name) => met.has(name)).length,
      Math.min(wantedFaults.length, Math.floor(items / 20)),
    ),
    ...(await checkOutcomes(site, run, items, (index) => hopeless.get(index) ?? "")),
    exactly(
      "hopeless items that failed",
      errors.filter(({ index }) => hopeless.has(index)).length,
      HOPELESS_ITEMS,
    ),
    exactly(
      "other items that failed: three answers lost",
      errors.filter(({ index }) => !hopeless.has(index)).length,
      givenUp.length,
    ),
    exactly("tokens in usage.json", usage.usage.total_tokens, tokensOf(sound)),
    exactly(
      "· and of answers that no item has",
      usage.failed_usage.total_tokens,
      tokensOf(withheld),
    ),
    exactly(
      "· and with lost answers the whole bill",
      usage.usage.total_tokens +
        usage.failed_usage.total_tokens +
        tokensOf([...billedWithoutAnswer, ...behindEdges]),
      tokensOf(calls.filter(({ billed }) => billed)),
    ),
    exactly("sound calls", sound.length, usage.items.completed),
    exactly(
      "possibly billed",
      usage.possibly_billed,
      billedWithoutAnswer.length + unbilledWithoutAnswer.length,
    ),
    told("· of them billed by the gateway", billedWithoutAnswer.length),
  ];
}

function tokensOf(calls: readonly Call[]): number {
  return calls.reduce((sum, call) => sum + call.promptTokens + call.completionTokens, 0);
}

function countBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
  return counts;
}

function chooseHopeless(items: number, random: Random): Map<number, string> {
  const chosen = new Map<number, string>();
  while (chosen.size < HOPELESS_ITEMS) {
    const name = HOPELESS[chosen.size % HOPELESS.length] ?? "";
    chosen.set(Math.floor(random() * items), ` [[fault:${name}]]`);
  }
  return chosen;
}

/** Throttles some first calls in each way, as a gateway that tells how long to wait. */
function throttles(items: number, rate: number): Rule[] {
  const context: ErrorContext = {
    requestId: "drill",
    model: "gpt-4o-mini",
    target: "POST /v1/chat/completions",
    chinese: false,
    // A limit that is named is kept to: one that nobody comes near leaves the run its pace.
    limit: 1_000_000,
    used: 1_000_000,
    detail: "",
    tryAgain: `${THROTTLE_MS}ms`,
  };
  return THROTTLES.flatMap((name, kind) => {
    const { status, body } = errorAnswer(name, "newapi", context);
    const headers = { "retry-after-ms": String(THROTTLE_MS) };
    return Array.from({ length: items * rate }, (_, n) => ({
      match: answerTo(Math.round(n / rate) + kind).replace("echo: ", ""),
      status,
      body,
      headers,
    }));
  });
}
