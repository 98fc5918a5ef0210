import { expect, it } from "vitest";

it("offers these names, and no others", async () => {
  expect(Object.keys(await import("../../src/index.ts")).sort()).toEqual([
    "RunStopped",
    "UsageError",
    "defineJob",
    "retry",
    "run",
  ]);
});
