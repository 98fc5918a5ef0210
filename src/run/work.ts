import type { RunStopped } from "../errors.ts";
import type { Answering } from "../gateway/answer-item.ts";
import { createGatewayClient } from "../gateway/client.ts";
import { Governor } from "../gateway/governor.ts";
import type { Limits } from "../gateway/limits.ts";
import type { Manifest } from "../ledger/manifest.ts";
import { VERSION } from "../system/version.ts";
import { AccountWatch } from "./account-watch.ts";
import { keepLearned, openAccount } from "./account.ts";
import { asInterruption, asRunStopped } from "./as-run-stopped.ts";
import { hasBudget } from "./budget/check.ts";
import { openSpending } from "./budget/open-spending.ts";
import type { Spending } from "./budget/spending.ts";
import { cancelled } from "./follow-state.ts";
import { GatewayHealth } from "./gateway-health.ts";
import { Hold } from "./hold.ts";
import { learnPrices } from "./learn-prices.ts";
import { noteHeld, noteHelped } from "./life.ts";
import { logVerdict } from "./log-verdict.ts";
import { openPresence } from "./open-presence.ts";
import { preflight } from "./preflight.ts";
import { startProgress } from "./progress.ts";
import { sit } from "./sitting.ts";
import { stopIfRefused } from "./stop-if-refused.ts";
import { tellOutcome } from "./tell-outcome.ts";
import { TokenReservation } from "./token-reservation.ts";
import { wantedItems } from "./wanted-items.ts";
import type { WorkParts } from "./work-parts.ts";

/** What came of working. */
export interface Worked {
  /** Null when every wanted item has its outcome. */
  readonly stop: RunStopped | null;
  readonly limits: Limits;
  /** Whether something of the run is left in a shared Redis; null where it was not in one. */
  readonly inRedis: boolean | null;
  /** Whether somebody has paused it there. */
  readonly isHeld: boolean | null;
  /** Whether workers elsewhere were there. */
  readonly isHelped: boolean;
}

export const NO_WORK: Worked = {
  stop: null,
  limits: { rpm: null, tpm: null, concurrency: null },
  inRedis: null,
  isHeld: null,
  isHelped: false,
};

/**
 * Calls the gateway until every wanted item has its outcome.
 *
 * @returns why the run stopped before, if it did, and what it found out about the account.
 */
export async function work(parts: WorkParts): Promise<Worked> {
  const { scene, manifest, ledger, wanted, log } = parts;
  const { order, connection, closers } = scene;
  const { job, access, clock, random } = order;
  const stopping = new AbortController();
  const stop = (reason: RunStopped): void => stopping.abort(reason);
  const onSignal = (): void => {
    const signal = order.killSignal.aborted ? order.killSignal : order.signal;
    stop(asInterruption(signal.reason));
  };
  for (const signal of [order.signal, order.killSignal]) {
    signal.addEventListener("abort", onSignal, { once: true });
    if (signal.aborted) onSignal();
  }

  const client = createGatewayClient({
    ...access,
    apiKey: order.works ? access.apiKey : null,
    // One more than the calls of items: the health check must not wait for one of them.
    connections: job.concurrency + 1,
    version: VERSION,
    clock,
    proxy: order.proxy,
  });
  const account = await openAccount(scene);
  const governor = new Governor({ ...job, ...account, clock, random });
  const reservation = new TokenReservation();
  closers.add(() => governor.close());
  closers.add(() => client.destroy());
  const { completed, failed } = ledger.items;
  const watch = new AccountWatch(completed + failed > 0);
  const health = new GatewayHealth(client, clock, stopping.signal);

  const meter =
    scene.metrics?.watch(manifest.run_id, {
      inFlight: () => governor.inFlight,
      throttledMs: () => governor.throttledMs,
      costOf: scene.prices.cost,
    }) ?? null;

  const answering: Omit<Answering, "budget"> = {
    client,
    governor,
    policy: job,
    clock,
    random,
    tokensOf: (body) => reservation.of(body),
    onVerdict: (item, verdict) => {
      health.note(verdict);
      meter?.attempt(item.model, verdict.class);
      if (verdict.class === "completed") reservation.note(verdict.summary.usage);
      else logVerdict(log, item, verdict);
      const finding = watch.note(verdict, item.index);
      if (finding?.action === "stop") stop(finding.reason);
      if (finding?.action === "ask") void stopIfRefused(client, clock, finding.reason, stop);
    },
    answersSeen: () => health.answersSeen,
    lookForLife: () => health.look(),
    stopping: stopping.signal,
    ending: order.killSignal,
  };

  const place = { connection, prefix: scene.prefix, runId: manifest.run_id };
  const hold = new Hold(stopping.signal);
  const presence = openPresence(parts, place, hasBudget(job));
  let noted = Promise.resolve(manifest);
  const note = (change: (known: Manifest) => Promise<Manifest>): void => {
    noted = noted.then(async (known) => {
      try {
        return await change(known);
      } catch (error) {
        stop(asRunStopped(error));
        return known;
      }
    });
  };
  const onHelped = (): void =>
    note(async (known) => (known.helped === true ? known : noteHelped(scene, known)));
  const onHeld = (isHeld: boolean): void => {
    note((known) => noteHeld(scene, known, isHeld));
    order.onEvent({ event: isHeld ? "paused" : "resumed", run_id: manifest.run_id });
  };

  const progress = startProgress({
    ...parts,
    governor,
    hold,
    presence,
    stop,
    stopping: stopping.signal,
  });
  let spending: Spending | null = null;
  let inRedis = presence === null ? null : parts.wasLeft;
  try {
    spending = openSpending(parts, stop);
    if (order.works) {
      await preflight({ client, scene, health, signal: stopping.signal, log });
      await learnPrices({ scene, manifest, signal: stopping.signal, log });
    }
    const isGone = await sit({
      place,
      presence,
      hold,
      ledger,
      wanted,
      answering: { ...answering, budget: spending },
      concurrency: job.concurrency,
      works: order.works,
      items: wantedItems(scene, parts.asking ?? wanted, stopping.signal),
      clock,
      log,
      onEvent: order.onEvent,
      stop,
      meter,
      onOutcome: (outcome, model) => tellOutcome(parts, outcome, model),
      onReceived: (outcome) => spending?.received(outcome),
      onHeld,
      onHelped,
    });
    if (presence !== null) inRedis = !isGone;
  } catch (error) {
    stop(asRunStopped(error));
  } finally {
    order.signal.removeEventListener("abort", onSignal);
    order.killSignal.removeEventListener("abort", onSignal);
    progress.stop();
    spending?.close();
    await noted;
  }
  const limits = governor.learned;
  await keepLearned(order, limits);
  const reason = stopping.signal.aborted ? asRunStopped(stopping.signal.reason) : null;
  // Whoever cancelled it while it was stopping was told that it is.
  const isCancelled = reason?.reason === "interrupted" && presence?.state === "cancelled";
  return {
    stop: isCancelled ? cancelled(manifest.run_id) : reason,
    limits,
    inRedis,
    isHeld: presence === null ? null : presence.state === "paused",
    isHelped: presence?.sawWorkers === true,
  };
}
