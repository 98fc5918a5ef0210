import { parseAnswerTemplate } from "../sandbox/answer.ts";
import { parseChaos } from "../sandbox/chaos.ts";
import type { Profile } from "../sandbox/error-answer.ts";
import type { Limits } from "../sandbox/limits.ts";
import { startSandbox } from "../sandbox/sandbox.ts";
import type { SandboxOptions } from "../sandbox/sandbox.ts";
import type { Range } from "../sandbox/state.ts";

/** What `nightshift sandbox` takes. */
export interface SandboxCommandOptions {
  /** @default 8787 */
  readonly port?: number;
  readonly seed?: number;
  /** `429=0.05,500=0.02,timeout=0.01` */
  readonly chaos?: string;
  /** Milliseconds to the first token. */
  readonly ttft?: number | Range;
  /** Tokens per second. */
  readonly tps?: number;
  /** Sigma of the log-normal spread of both. */
  readonly jitter?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly maxConcurrency?: number;
  /** Milliseconds within which the rates hold. */
  readonly limitWindow?: number;
  readonly burst?: number;
  readonly retryAfter?: NonNullable<Limits["retryAfter"]>;
  readonly rateHeaders?: NonNullable<Limits["rateHeaders"]>;
  readonly limitBody?: NonNullable<Limits["bodyVariant"]>;
  /** US dollars on each account. */
  readonly balance?: number;
  readonly models?: readonly string[];
  readonly profile?: Profile;
  /** `echo`, `label:<a>,<b>`, `json` or `lorem:<words>`. */
  readonly answer?: string;
  /** False keeps counters only. @default true */
  readonly ledger?: boolean;
  /** Events as NDJSON on stdout. */
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Where a command speaks, and when it ends. */
export interface SandboxCommandIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly signal: AbortSignal;
}

/** Serves the stand-in gateway until the signal aborts. */
export async function sandbox(options: SandboxCommandOptions, io: SandboxCommandIo): Promise<void> {
  const server = await startSandbox(toSandboxOptions(options));
  try {
    if (options.json === true) {
      const event = { event: "listening", url: server.url, port: server.port };
      io.stdout.write(`${JSON.stringify(event)}\n`);
    }
    if (options.quiet !== true) io.stderr.write(welcome(server.url));
    await aborted(io.signal);
    const { requests, billedTokens } = server.stats();
    if (options.quiet !== true) {
      io.stderr.write(`Served ${requests} calls and billed ${billedTokens} tokens.\n`);
    }
  } finally {
    await server.close();
  }
}

/** Turns flags into options; exported for the test of the mapping. */
export function toSandboxOptions(options: SandboxCommandOptions): SandboxOptions {
  const latency = defined({
    ttftMs: options.ttft,
    tokensPerSecond: options.tps,
    jitter: options.jitter,
  });
  const limits = defined({
    rpm: options.rpm,
    tpm: options.tpm,
    maxConcurrency: options.maxConcurrency,
    windowMs: options.limitWindow,
    burst: options.burst,
    retryAfter: options.retryAfter,
    rateHeaders: options.rateHeaders,
    bodyVariant: options.limitBody,
  });
  return defined({
    port: options.port ?? 8787,
    seed: options.seed,
    chaos: options.chaos === undefined ? undefined : parseChaos(options.chaos),
    latency,
    limits,
    balanceUsd: options.balance,
    models: options.models,
    profile: options.profile,
    answer: options.answer === undefined ? undefined : parseAnswerTemplate(options.answer),
    ledger: options.ledger,
  });
}

/** Leaves out what was not given, as exact optional properties demand. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function welcome(url: string): string {
  return (
    `The sandbox listens on ${url} (this machine only). In another terminal:\n\n` +
    `  export NIGHTSHIFT_BASE_URL=${url}\n` +
    `  export NIGHTSHIFT_API_KEY=sk-demo\n\n` +
    `Ctrl-C stops it.\n`
  );
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
