import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Connection } from "../../src/queue/connection.ts";
import { documentedRights, openServer, SERVER_KINDS } from "./servers.ts";

/** BullMQ's scripts that move a run's items. */
const SCRIPTS = [
  "addStandardJob-9",
  "extendLock-2",
  "extendLocks-1",
  "moveStalledJobsToWait-9",
  "moveToActive-11",
  "moveToFinished-14",
  "obliterate-2",
  "pause-7",
] as const;

/** What is sent besides, by BullMQ or by ourselves. */
const SENT =
  "info time select client|setname eval evalsha bzpopmin exists get set hset " +
  // Answers from workers on other machines.
  "xdel xlen xrange xread";

describe("the rights in docs/redis.md", () => {
  test("are those that the scripts and commands of a queue take, and no more", () => {
    const inScripts = SCRIPTS.flatMap((script) => {
      const text = readFileSync(`node_modules/bullmq/dist/esm/scripts/${script}.js`, "utf8");
      const calls = text.matchAll(/\b(?:rcall|redis\.p?call)\(\s*['"](\w+)['"]/g);
      return [...calls].map(([, command = ""]) => command.toLowerCase());
    });
    const granted = documentedRights().filter((right) => right.startsWith("+"));
    const needed = new Set([...inScripts, ...SENT.split(" ")].map((command) => `+${command}`));
    expect(granted.sort()).toEqual([...needed].sort());
  });

  const guarded = SERVER_KINDS.find(({ name }) => name.includes("least rights"));
  describe.skipIf(guarded?.isMissing !== false)("on a Redis", () => {
    if (guarded === undefined) return;
    let connection: Connection;
    let admin: Connection;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ connection, admin, close } = await openServer(guarded));
    });
    afterAll(async () => {
      // What is refused below is the point of this test.
      await admin.acl("LOG", "RESET");
      await close();
    });

    test("do not reach another team's keys", async () => {
      await admin.set("team-b:secret", "1");
      await expect(connection.get("team-b:secret")).rejects.toThrow("NOPERM");
      await expect(connection.set("nightshift-b:x", "1")).rejects.toThrow("NOPERM");
      expect(await connection.set("nightshift:x", "1")).toBe("OK");
    });

    test.each([["FLUSHALL"], ["KEYS", "*"], ["CONFIG", "GET", "requirepass"], ["ACL", "WHOAMI"]])(
      "do not include %s",
      async (command, ...args) => {
        await expect(connection.call(command, ...args)).rejects.toThrow("NOPERM");
      },
    );
  });
});
