import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { loadPriceList, type PriceList } from "../../../src/job/pricing.ts";
import type { Pricing } from "../../../src/job/schema.ts";
import { readManifest } from "../../../src/ledger/manifest.ts";
import { learnPrices } from "../../../src/run/learn-prices.ts";
import { endSitting } from "../../../src/run/life.ts";
import type { Scene } from "../../../src/run/scene.ts";
import { type Sandbox, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { aManifest, anOrder, aScan, aScene, aWorkspace, type Workspace } from "./jobs.ts";

const HOUSE_PRICE = { input: 0.15, output: 0.6 };

let workspace: Workspace;
let gateway: Sandbox;
beforeEach(async () => {
  workspace = await aWorkspace();
  gateway = await startSandbox({ models: ["house-model", "gpt-4o-mini"] });
});
afterEach(async () => {
  await gateway.close();
  await workspace[Symbol.asyncDispose]();
});

interface Lesson {
  readonly scene: Scene;
  readonly prices: PriceList;
  readonly learn: () => Promise<void>;
}

async function aLesson(models: readonly string[], pricing: Pricing | null = null): Promise<Lesson> {
  const { order } = anOrder({ access: { baseUrl: gateway.url, apiKey: "sk-demo" } });
  const prices = await loadPriceList(pricing);
  const scene: Scene = {
    ...aScene(order, { scan: aScan({ models }), directory: workspace.path }),
    prices,
  };
  const parts = {
    scene,
    manifest: aManifest(),
    signal: order.signal,
    log: pino({ level: "silent" }),
  };
  return { scene, prices, learn: () => learnPrices(parts) };
}

describe("the gateway's own prices", () => {
  it("are learned for models that nobody else knows, and noted in run.json at once", async () => {
    const { prices, learn } = await aLesson(["gpt-4o-mini", "house-model", "mystery"]);
    await learn();
    const sources = ["gpt-4o-mini", "house-model", "mystery"].map((model) => prices.source(model));
    expect(sources).toEqual(["genai-prices", "gateway", null]);
    expect((await readManifest(workspace.path))?.gateway_prices).toEqual({
      "house-model": HOUSE_PRICE,
    });
  });

  it("are still in run.json when the sitting ends", async () => {
    const { scene, learn } = await aLesson(["house-model"]);
    await learn();
    const { gateway_prices: noted } = await endSitting(scene, aManifest(), null);
    expect(noted).toEqual({ "house-model": HOUSE_PRICE });
  });

  it.each<[string, readonly string[], Pricing | null]>([
    ["the lists know them all", ["gpt-4o-mini"], null],
    ["the job knows them", ["house-model"], { input: 1, output: 1 }],
  ])("are not asked for where %s", async (_name, models, pricing) => {
    const { prices, learn } = await aLesson(models, pricing);
    await learn();
    expect([prices.learned, await readManifest(workspace.path)]).toEqual([{}, null]);
  });

  it("are not asked for again: a run keeps those that it began with", async () => {
    const { prices, learn } = await aLesson(["house-model"]);
    prices.learn({ "house-model": { input: 7, output: 7 } });
    await learn();
    expect(prices.learned).toEqual({ "house-model": { input: 7, output: 7 } });
  });

  it("are no matter to a run whose gateway has no list", async () => {
    await gateway.close();
    const { prices, learn } = await aLesson(["house-model"]);
    await learn();
    expect([prices.source("house-model"), await readManifest(workspace.path)]).toEqual([
      null,
      null,
    ]);
  });
});
