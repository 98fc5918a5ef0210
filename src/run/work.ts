import { createHash } from "node:crypto";

import { messageOf, RunStopped, UsageError } from "../errors.ts";
import type { Answering } from "../gateway/answer-item.ts";
import { createGatewayClient } from "../gateway/client.ts";
import { Governor } from "../gateway/governor.ts";
import type { Verdict } from "../gateway/verdict.ts";
import type { Item } from "../item.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Manifest } from "../ledger/manifest.ts";
import type { Connection } from "../queue/connection.ts";
import type { Log } from "../system/log.ts";
import { VERSION } from "../system/version.ts";
import { estimateTokens } from "../tokens.ts";
import { AccountWatch } from "./account-watch.ts";
import { GatewayHealth } from "./gateway-health.ts";
import { preflight } from "./preflight.ts";
import { startProgress } from "./progress.ts";
import { readItems } from "./read-items.ts";
import type { Scene } from "./scene.ts";
import { sit } from "./sitting.ts";

/** Items that one process may hold for each call in flight: the others wait to try again. */
const HELD_PER_SLOT = 4;
/** What an answer is taken to need where `max_tokens` does not say. */
const ASSUMED_ANSWER_TOKENS = 500;

/**
 * Calls the gateway until every item has its outcome.
 *
 * @returns null when all have, else why the run stopped before.
 */
export async function work(
  scene: Scene,
  manifest: Manifest,
  ledger: Ledger,
  connection: Connection,
  log: Log,
): Promise<RunStopped | null> {
  const { order, closers } = scene;
  const { job, access, clock, random } = order;
  const stopping = new AbortController();
  const stop = (reason: RunStopped): void => stopping.abort(reason);
  const onSignal = (): void => stop(asRunStopped(order.signal.reason));
  order.signal.addEventListener("abort", onSignal, { once: true });
  if (order.signal.aborted) onSignal();

  const client = createGatewayClient({
    ...access,
    // One more than the calls of items: the health check must not wait for one of them.
    connections: job.concurrency + 1,
    version: VERSION,
    clock,
    proxy: order.proxy,
  });
  const governor = new Governor({ ...job, clock, random });
  closers.add(() => governor.close());
  closers.add(() => client.destroy());
  const watch = new AccountWatch();
  const health = new GatewayHealth(client, governor, clock, stopping.signal);

  const answering: Answering = {
    client,
    governor,
    policy: job,
    clock,
    random,
    tokensOf: tokenReservation(job.tpm !== null),
    onVerdict: (item, verdict) => {
      health.note(verdict);
      if (verdict.class !== "completed") logVerdict(log, item, verdict);
      const reason = watch.note(verdict);
      if (reason !== null) stop(reason);
    },
    answersSeen: () => health.answersSeen,
    stopping: stopping.signal,
    ending: order.killSignal,
  };

  const progress = startProgress({ scene, manifest, ledger, governor, connection, stop });
  try {
    if (order.works) {
      await preflight({ client, scene, health, signal: stopping.signal, log });
    }
    await sit({
      runId: manifest.run_id,
      connection,
      ledger,
      answering,
      capacity: job.concurrency * HELD_PER_SLOT,
      works: order.works,
      pending: pendingItems(scene, manifest.items ?? Infinity, ledger, stopping.signal),
      clock,
      log,
      stop,
      onFailed: ({ index, customId, error }) =>
        order.onEvent({ event: "item_failed", index, custom_id: customId, ...error }),
    });
  } catch (error) {
    stop(asRunStopped(error));
  } finally {
    order.signal.removeEventListener("abort", onSignal);
    progress.stop();
  }
  return stopping.signal.aborted ? asRunStopped(stopping.signal.reason) : null;
}

/** The items without an outcome, read anew; the input must still be what was scanned. */
async function* pendingItems(
  { order, scan }: Scene,
  last: number,
  ledger: Ledger,
  signal: AbortSignal,
): AsyncGenerator<readonly Item[]> {
  const hash = createHash("sha256");
  const { job } = order;
  const source = await readItems(job, { signal, onBytes: (chunk) => hash.update(chunk) });
  try {
    for await (const batch of source.batches()) {
      const pending = batch.flatMap(({ item }) =>
        item.index < last && ledger.items.state(item.index) === "pending" ? [item] : [],
      );
      if (pending.length > 0) yield pending;
      if ((batch.at(-1)?.item.index ?? 0) >= last) return;
    }
  } catch (error) {
    if (error instanceof UsageError) throw inputChanged(job.input, error.message);
    throw error;
  }
  if (hash.digest("hex") !== scan.sha256) {
    throw inputChanged(job.input, "its content is no longer what was read at the start");
  }
}

function inputChanged(path: string, detail: string): RunStopped {
  return new RunStopped(
    "input",
    `${path} changed while the run was reading it: ${detail}`,
    "Restore the input and run the same command again, or start afresh with --new.",
  );
}

function tokenReservation(counts: boolean): (body: string) => number {
  if (!counts) return () => 1;
  return (body) => {
    const { max_tokens: most, max_completion_tokens: newer } = JSON.parse(body) as {
      max_tokens?: unknown;
      max_completion_tokens?: unknown;
    };
    const answer = [newer, most].find((value) => typeof value === "number");
    return estimateTokens(body) + (typeof answer === "number" ? answer : ASSUMED_ANSWER_TOKENS);
  };
}

function logVerdict(log: Log, item: Item, verdict: Exclude<Verdict, { class: "completed" }>): void {
  const { failure } = verdict;
  log.warn(
    {
      event: "attempt.failed",
      index: item.index,
      class: verdict.class,
      code: failure.code,
      status: failure.response?.status,
      request_id: failure.response?.requestId,
    },
    failure.message,
  );
}

function asRunStopped(reason: unknown): RunStopped {
  if (reason instanceof RunStopped) return reason;
  if (reason instanceof UsageError) {
    return new RunStopped("input", reason.message, "Correct it, then run the same command again.");
  }
  return reason instanceof Error && reason.name === "AbortError"
    ? new RunStopped("interrupted", "stopped by the caller", "Run the same command again.")
    : new RunStopped(
        "internal",
        `an unexpected error: ${messageOf(reason)}`,
        "Run the same command again: it goes on where it stopped. Please report the stack in run.log.",
        reason,
      );
}
