import { afterEach, expect, it, vi } from "vitest";

const { versions } = process;
afterEach(() => {
  Object.defineProperty(process, "versions", { value: versions });
  vi.resetModules();
});

it.each(["20.20.2", "22.18.0"])(
  "says which Node it needs to one that is too old: %s",
  async (node) => {
    Object.defineProperty(process, "versions", { value: { ...versions, node } });
    vi.resetModules();
    await expect(import("../../src/index.ts")).rejects.toThrow(
      `nightshift needs Node 22.19 or newer, and this is ${node}.`,
    );
  },
);

it("offers these names, and no others", async () => {
  expect(Object.keys(await import("../../src/index.ts")).sort()).toEqual([
    "RunStopped",
    "UsageError",
    "defineJob",
    "retry",
    "run",
  ]);
});
