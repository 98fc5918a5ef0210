import { askPrices } from "../gateway/price-list.ts";
import type { Manifest } from "../ledger/manifest.ts";
import type { Log } from "../system/log.ts";
import { VERSION } from "../system/version.ts";
import { notePrices } from "./life.ts";
import type { Scene } from "./scene.ts";

/**
 * Asks the gateway's own price list for the models whose price nobody else knows, and keeps what it
 * says in run.json: status, export and later sittings price the ledger without a call.
 */
export async function learnPrices(parts: {
  readonly scene: Scene;
  readonly manifest: Manifest;
  readonly signal: AbortSignal;
  readonly log: Log;
}): Promise<void> {
  const { scene, manifest, signal, log } = parts;
  const { order, scan, prices } = scene;
  const unpriced = scan.models.filter((model) => prices.source(model) === null);
  if (unpriced.length === 0) return;
  const { clock, proxy, access } = order;
  const gateway = { baseUrl: access.baseUrl, version: VERSION, clock, proxy };
  const listed = await askPrices(gateway, signal);
  const told = unpriced.flatMap((model) => {
    const price = listed.get(model);
    return price === undefined ? [] : [[model, price] as const];
  });
  log.info({ event: "prices.asked", models: unpriced, told: told.length }, "asked for prices");
  if (told.length === 0) return;
  prices.learn(Object.fromEntries(told));
  await notePrices(scene, manifest);
}
