import { writeFile } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import {
  readManifest,
  requireManifest,
  workedMs,
  writeManifest,
} from "../../../src/ledger/manifest.ts";
import { aManifest, runDirectory } from "./run-directory.ts";

describe("run.json", () => {
  test("is read as it was written", async () => {
    await using directory = await runDirectory();
    const manifest = aManifest({
      state: "paused",
      reason: { code: "account", message: "the balance is empty", remedy: "top up" },
    });
    await writeManifest(directory.path, manifest);
    expect(await readManifest(directory.path)).toEqual(manifest);
  });

  test("keeps the prices that the gateway told", async () => {
    await using directory = await runDirectory();
    const price = { input: 1, output: 2, cached_input: 0.5, request: 0.01 };
    await writeManifest(directory.path, aManifest({ gateway_prices: { "house-model": price } }));
    expect((await readManifest(directory.path))?.gateway_prices).toEqual({ "house-model": price });
  });

  test("is no run where there is none, nor where there is no directory", async () => {
    await using directory = await runDirectory();
    expect(await readManifest(directory.path)).toBeNull();
    expect(await readManifest(directory.file("nowhere"))).toBeNull();
    await writeFile(directory.file("input.csv"), "a");
    expect(await readManifest(directory.file("input.csv"))).toBeNull();
  });

  test("is asked for by name where a run is needed", async () => {
    await using directory = await runDirectory();
    await expect(requireManifest(directory.path)).rejects.toThrow(
      `${directory.path} is no run directory: it has no run.json`,
    );
  });

  test.each(["", "{", "{}", '{"run_id":7}'])("is refused when it is %j", async (text) => {
    await using directory = await runDirectory();
    await writeFile(directory.file("run.json"), text);
    await expect(readManifest(directory.path)).rejects.toThrow(
      `${directory.file("run.json")} is no manifest of a run`,
    );
  });
});

describe("the time worked on a run", () => {
  const at = (minute: number): string => new Date(Date.UTC(2026, 0, 2, 2, minute)).toISOString();

  test("is the sum of its sittings, without the pauses between", () => {
    const sittings = [
      { started_at: at(0), ended_at: at(10) },
      { started_at: at(40), ended_at: null },
    ];
    expect(workedMs(aManifest({ sittings }), Date.parse(at(45)))).toBe(15 * 60_000);
  });

  test("never runs backwards with the clock", () => {
    const sittings = [{ started_at: at(10), ended_at: at(0) }];
    expect(workedMs(aManifest({ sittings }), Date.parse(at(0)))).toBe(0);
  });
});
