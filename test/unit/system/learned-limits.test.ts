import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { accountOf } from "../../../src/system/account.ts";
import { type LimitsPlace, readLearned, writeLearned } from "../../../src/system/learned-limits.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

const ACCOUNT = "0123456789abcdef";
const OTHER = "fedcba9876543210";
const LIMITS = { rpm: 3000, tpm: null, concurrency: 64 };
const DAY_MS = 24 * 60 * 60_000;

let home: string;
let clock: FakeClock;
let place: LimitsPlace & { readonly stateDirectory: string };
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nightshift-state-"));
  clock = new FakeClock(Date.UTC(2026, 0, 1));
  place = { stateDirectory: join(home, "state", "nightshift"), clock };
});
afterEach(() => rm(home, { recursive: true, force: true }));

function file(): string {
  return join(place.stateDirectory, "limits.json");
}

async function fill(text: string): Promise<void> {
  await mkdir(place.stateDirectory, { recursive: true });
  await writeFile(file(), text);
}

async function permissionsOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe("learned limits", () => {
  it("are read as they were written, with the time", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    expect(await readLearned(place, ACCOUNT)).toEqual({
      ...LIMITS,
      learnedAt: "2026-01-01T00:00:00.000Z",
    });
  });

  it("are each account's own", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    await writeLearned(place, OTHER, { ...LIMITS, rpm: 60 });
    expect([
      (await readLearned(place, ACCOUNT))?.rpm,
      (await readLearned(place, OTHER))?.rpm,
      await readLearned(place, "0000000000000000"),
    ]).toEqual([3000, 60, null]);
  });

  it("are those of the last run", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    await writeLearned(place, ACCOUNT, { rpm: null, tpm: 90_000, concurrency: null });
    expect(await readLearned(place, ACCOUNT)).toMatchObject({ rpm: null, tpm: 90_000 });
  });

  it("hold for 30 days and no longer", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    await clock.advance(30 * DAY_MS);
    expect(await readLearned(place, ACCOUNT)).not.toBeNull();
    await clock.advance(1);
    expect(await readLearned(place, ACCOUNT)).toBeNull();
  });

  it("from far in the future are none: a wrong clock wrote them", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    const before = { ...place, clock: new FakeClock(clock.now() - 31 * DAY_MS) };
    expect(await readLearned(before, ACCOUNT)).toBeNull();
  });

  it("are kept of a hundred accounts: the oldest make room", async () => {
    const name = (number: number): string => number.toString(16).padStart(16, "0");
    for (let number = 0; number <= 100; number += 1) {
      await clock.advance(1_000);
      await writeLearned(place, name(number), LIMITS);
    }
    const kept = [0, 1, 100].map(
      async (number) => (await readLearned(place, name(number))) !== null,
    );
    expect(await Promise.all(kept)).toEqual([false, true, true]);
  });

  it("are for this user's eyes only", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    expect([await permissionsOf(file()), await permissionsOf(place.stateDirectory)]).toEqual([
      "600",
      "700",
    ]);
  });

  it("leave no temporary file, even when many are written at once", async () => {
    await Promise.all(Array.from({ length: 8 }, () => writeLearned(place, ACCOUNT, LIMITS)));
    expect(await readdir(place.stateDirectory)).toEqual(["limits.json"]);
    expect(await readLearned(place, ACCOUNT)).toMatchObject(LIMITS);
  });

  it("are not kept where there is no place for them", async () => {
    const nowhere = { stateDirectory: null, clock };
    await writeLearned(nowhere, ACCOUNT, LIMITS);
    expect(await readLearned(nowhere, ACCOUNT)).toBeNull();
  });
});

describe("a file of limits that is not whole", () => {
  it.each([
    ["empty", ""],
    ["torn", '{"accounts":{"0123456789abcdef":{"rpm":30'],
    ["no object", "[1,2]"],
    ["somebody else's", '{"accounts":["a"],"theirs":true}'],
    ["without times", `{"accounts":{"${ACCOUNT}":{"rpm":1,"tpm":1,"concurrency":1}}}`],
  ])("(%s) teaches nothing, and is replaced by what is learned next", async (_name, text) => {
    await fill(text);
    expect(await readLearned(place, ACCOUNT)).toBeNull();
    await writeLearned(place, ACCOUNT, LIMITS);
    expect(await readLearned(place, ACCOUNT)).toMatchObject(LIMITS);
  });

  it.each([0, -5, "many", Infinity])(
    "knows no limit of %s, but the other accounts'",
    async (rpm) => {
      const learnedAt = new Date(clock.now()).toISOString();
      const limits = { tpm: null, concurrency: null, learnedAt };
      const accounts = { [ACCOUNT]: { rpm, ...limits }, [OTHER]: { rpm: 60, ...limits } };
      // JSON.stringify writes infinity as null, which would be no limit.
      await fill(JSON.stringify({ accounts }).replace('"rpm":null', '"rpm":1e999'));
      expect([await readLearned(place, ACCOUNT), (await readLearned(place, OTHER))?.rpm]).toEqual([
        null,
        60,
      ]);
    },
  );

  it("because it is a directory teaches nothing, and spoils no run", async () => {
    await mkdir(file(), { recursive: true });
    await writeLearned(place, ACCOUNT, LIMITS);
    expect(await readLearned(place, ACCOUNT)).toBeNull();
    expect(await readdir(place.stateDirectory)).toEqual(["limits.json"]);
  });

  it("because its directory cannot be made teaches nothing, and spoils no run", async () => {
    await writeFile(join(home, "state"), "a file");
    await writeLearned(place, ACCOUNT, LIMITS);
    expect(await readLearned(place, ACCOUNT)).toBeNull();
  });

  it.skipIf(process.getuid?.() === 0)("because it may not be read teaches nothing", async () => {
    await writeLearned(place, ACCOUNT, LIMITS);
    await chmod(file(), 0);
    expect(await readLearned(place, ACCOUNT)).toBeNull();
  });
});

describe("the name of an account", () => {
  const access = { apiKey: "sk-demo", baseUrl: "https://gateway.test/v1" };

  it("is 16 digits, the same each time", () => {
    expect(accountOf(access)).toBe("c78c2189b9dc2b2d");
  });

  it("is another for another key or another address", () => {
    const names = [
      access,
      { ...access, apiKey: "sk-other" },
      { ...access, baseUrl: "https://other.test/v1" },
    ].map(accountOf);
    expect(new Set(names).size).toBe(3);
  });

  it("is all that the file tells of it", async () => {
    await writeLearned(place, accountOf(access), LIMITS);
    const text = await readFile(file(), "utf8");
    expect(text).toContain(accountOf(access));
    expect(text).not.toMatch(/sk-demo|gateway\.test/);
  });
});
