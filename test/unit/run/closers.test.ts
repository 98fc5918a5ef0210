import { describe, expect, it } from "vitest";

import { Closers } from "../../../src/run/closers.ts";

/** Closers by name, and the order in which they were closed. */
function someClosers(...names: string[]): { closers: Closers; closed: string[] } {
  const closers = new Closers();
  const closed: string[] = [];
  for (const name of names) {
    closers.add(async () => {
      await Promise.resolve();
      closed.push(name);
    });
  }
  return { closers, closed };
}

describe("the closers", () => {
  it("close last what was opened first", async () => {
    const { closers, closed } = someClosers("redis", "ledger", "log");
    await closers.close();
    expect(closed).toEqual(["log", "ledger", "redis"]);
  });

  it("close everything though one of them fails", async () => {
    const { closers, closed } = someClosers("redis");
    closers.add(() => Promise.reject(new Error("broken")));
    closers.add(() => {
      throw new Error("broken at once");
    });
    await closers.close();
    expect(closed).toEqual(["redis"]);
  });

  it("close nothing twice", async () => {
    const { closers, closed } = someClosers("redis");
    await Promise.all([closers.close(), closers.close()]);
    expect(closed).toEqual(["redis"]);
  });
});
