// A stand-in for the gateway: its answers, its errors, its limits and its bills, on this machine alone.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

import { UsageError } from "../errors.ts";
import { systemClock } from "../system/clock.ts";
import type { Clock } from "../system/clock.ts";
import type { AnswerTemplate } from "./answer.ts";
import { changeLimits } from "./change-limits.ts";
import { chaosDrawer, checkChaos } from "./chaos.ts";
import type { Chaos } from "./chaos.ts";
import type { Profile } from "./error-answer.ts";
import { SEEDED_KEYS, accountOf, openAccounts } from "./keys.ts";
import type { KeyOptions } from "./keys.ts";
import { SandboxLedger } from "./ledger.ts";
import type { LedgerEntry, SandboxStats } from "./ledger.ts";
import type { Limits } from "./limits.ts";
import { requestIds } from "./request-id.ts";
import { route } from "./routes.ts";
import { createScript } from "./script.ts";
import type { ScriptRule } from "./script.ts";
import type { Latency, SandboxState } from "./state.ts";
import type { StreamStyle } from "./stream.ts";
import type { Slice } from "./timeline.ts";

/** How the sandbox behaves. Without options: every call is answered at once and nothing goes wrong. */
export interface SandboxOptions {
  /** 0 takes a free one. @default 0 */
  readonly port?: number;
  /** Decides answers, faults and latencies. @default 1 */
  readonly seed?: number;
  /** Shares of attempts that go wrong, by fault: see {@link parseChaos}. @default none */
  readonly chaos?: Chaos;
  readonly latency?: Latency;
  /** How much later the fault `slow` answers, in milliseconds. @default 5000 */
  readonly slowMs?: number;
  /** For every key that has no limits of its own. @default none */
  readonly limits?: Limits;
  /** US dollars for every key that has no balance of its own. @default not counted */
  readonly balanceUsd?: number;
  /** Keys besides the seeded ones. */
  readonly keys?: Readonly<Record<string, KeyOptions>>;
  readonly models?: readonly string[];
  /** @default "newapi" */
  readonly profile?: Profile;
  /** @default echo */
  readonly answer?: AnswerTemplate;
  readonly streamStyle?: StreamStyle;
  /** Whether to keep an entry for each request, or counters only. @default true */
  readonly ledger?: boolean;
  readonly clock?: Clock;
}

/** A sandbox that listens. */
export interface Sandbox {
  /** What a client takes as its base URL: `http://127.0.0.1:<port>/v1`. */
  readonly url: string;
  readonly port: number;
  /** One entry for each chat completion request that has been answered, oldest first. */
  ledger(): LedgerEntry[];
  stats(): SandboxStats;
  /** What a key was let do and refused in the last hour, by tenths of a second. */
  timeline(key: string): Slice[];
  /** Forgets ledger, attempts and script; balances and limits start afresh. */
  reset(): void;
  /** Adds rules that answer the next matching requests. */
  script(rules: readonly ScriptRule[]): void;
  /** Other limits from now on, in place of all there were: for one key, or for every key. */
  changeLimits(limits: Limits, key?: string): void;
  /** Breaks every connection. Safe to call again. */
  close(): Promise<void>;
}

/** What it offers unless told otherwise. */
const DEFAULT_MODELS: readonly string[] = [
  "gpt-4o-mini",
  "gpt-4o",
  "gpt-4.1-mini",
  "o4-mini",
  "gpt-5-mini",
  "claude-sonnet-4-5",
  "deepseek-chat",
  "qwen-plus",
];

/** new-api's default. Beyond it the connection is closed. */
const MAX_BODY_BYTES = 128 * 1024 * 1024;

/** Starts a sandbox on the loopback address. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const timers = pendingTimers(options.clock ?? systemClock);
  const state = createState(options, timers.later);
  const reset = (): void => {
    state.ledger.reset();
    state.attempts.clear();
    state.script.clear();
    state.accounts = accountsOf(options, state.clock);
  };
  const server = createServer((request, response) => {
    receive(request, response, (text) => route(state, reset, request, response, text));
  });
  // A client's pooled connection must never meet a server that has just closed it.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;
  server.requestTimeout = 0;
  server.maxRequestsPerSocket = 0;
  const port = await listen(server, options.port ?? 0);
  let closed: Promise<void> | undefined;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    port,
    ledger: () => state.ledger.entries(),
    stats: () => state.ledger.stats(),
    reset,
    script: (rules) => state.script.add(rules),
    timeline: (key) => accountOf(state.accounts, key).limiter.timeline(),
    changeLimits: (limits, key) =>
      changeLimits(state.accounts, { ...limits, ...(key !== undefined && { key }) }),
    close: () => (closed ??= shut(server, timers.cancelAll)),
  };
}

function createState(options: SandboxOptions, later: SandboxState["later"]): SandboxState {
  const { chaos = {}, latency = {}, clock = systemClock } = options;
  checkChaos(chaos);
  const hasChaos = Object.keys(chaos).length > 0;
  const keepEntries = options.ledger ?? true;
  const { ttftMs = 0, jitter = 0 } = latency;
  return {
    seed: options.seed ?? 1,
    profile: options.profile ?? "newapi",
    models: options.models ?? DEFAULT_MODELS,
    template: options.answer ?? { kind: "echo" },
    streamStyle: options.streamStyle ?? {},
    latency: {
      ttftMs,
      tokensPerSecond: latency.tokensPerSecond ?? 0,
      jitter,
    },
    slowMs: options.slowMs ?? 5000,
    clock,
    ledger: new SandboxLedger(keepEntries),
    script: createScript(),
    accounts: accountsOf(options, clock),
    attempts: new Map(),
    namesRows: keepEntries || hasChaos || jitter > 0 || typeof ttftMs !== "number",
    nextId: requestIds(),
    drawFault: hasChaos ? chaosDrawer(chaos) : null,
    later,
  };
}

function accountsOf(options: SandboxOptions, clock: Clock): SandboxState["accounts"] {
  const defaults = { limits: options.limits ?? {}, balanceUsd: options.balanceUsd };
  return openAccounts({ ...SEEDED_KEYS, ...options.keys }, defaults, clock);
}

function receive(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (text: string) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) response.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const [first] = chunks;
    if (first === undefined) handle("");
    else handle((chunks.length === 1 ? first : Buffer.concat(chunks, bytes)).toString());
  });
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(taken ? new UsageError(`Port ${port} is in use: choose another with --port.`) : error);
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

async function shut(server: Server, cancelTimers: () => void): Promise<void> {
  cancelTimers();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function pendingTimers(clock: Clock): { later: SandboxState["later"]; cancelAll: () => void } {
  const pending = new Set<() => void>();
  return {
    later(ms, run) {
      if (ms <= 0) return run();
      const cancel = clock.after(ms, () => {
        pending.delete(cancel);
        run();
      });
      pending.add(cancel);
    },
    cancelAll() {
      for (const cancel of pending) cancel();
      pending.clear();
    },
  };
}
