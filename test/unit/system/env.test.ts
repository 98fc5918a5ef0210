import { describe, expect, test } from "vitest";

import {
  type Environment,
  readEnvironment,
  resolveAccess,
  resolveBaseUrl,
  resolveRedis,
} from "../../../src/system/env.ts";

const FLAG = "https://flag.example/v1";
const NIGHTSHIFT = "https://nightshift.example/v1";
const OPENAI = "https://openai.example/v1";
const DEFAULT = "https://1688token.ai/v1";

interface Settings {
  /** `--base-url` */
  readonly flag: boolean;
  /** NIGHTSHIFT_BASE_URL, NIGHTSHIFT_API_KEY, OPENAI_BASE_URL, OPENAI_API_KEY */
  readonly nightshiftUrl: boolean;
  readonly nightshiftKey: boolean;
  readonly openaiUrl: boolean;
  readonly openaiKey: boolean;
}

function environment(settings: Settings): Environment {
  return readEnvironment({
    ...(settings.nightshiftUrl && { NIGHTSHIFT_BASE_URL: NIGHTSHIFT }),
    ...(settings.nightshiftKey && { NIGHTSHIFT_API_KEY: "nightshift-key" }),
    ...(settings.openaiUrl && { OPENAI_BASE_URL: OPENAI }),
    ...(settings.openaiKey && { OPENAI_API_KEY: "openai-key" }),
  });
}

/** Which key goes where, as `key -> host`; or that it is refused. */
function access(settings: Settings): string {
  try {
    const { apiKey, baseUrl } = resolveAccess(environment(settings), settings.flag ? FLAG : null);
    return `${apiKey} -> ${baseUrl}`;
  } catch (error) {
    return (error as Error).name;
  }
}

const BOTH = [false, true];
const ALL: readonly Settings[] = BOTH.flatMap((flag) =>
  BOTH.flatMap((nightshiftUrl) =>
    BOTH.flatMap((nightshiftKey) =>
      BOTH.flatMap((openaiUrl) =>
        BOTH.map((openaiKey) => ({ flag, nightshiftUrl, nightshiftKey, openaiUrl, openaiKey })),
      ),
    ),
  ),
);

describe("which key goes where", () => {
  // F --base-url, N NIGHTSHIFT_BASE_URL, n NIGHTSHIFT_API_KEY, O OPENAI_BASE_URL, o OPENAI_API_KEY
  test.each([
    ["-----", "UsageError"],
    ["----o", "UsageError"],
    ["---O-", "UsageError"],
    ["---Oo", `openai-key -> ${OPENAI}`],
    ["--n--", `nightshift-key -> ${DEFAULT}`],
    ["--n-o", `nightshift-key -> ${DEFAULT}`],
    ["--nO-", `nightshift-key -> ${DEFAULT}`],
    ["--nOo", `nightshift-key -> ${DEFAULT}`],
    ["-N---", "UsageError"],
    ["-N--o", `openai-key -> ${NIGHTSHIFT}`],
    ["-N-O-", "UsageError"],
    ["-N-Oo", "UsageError"],
    ["-Nn--", `nightshift-key -> ${NIGHTSHIFT}`],
    ["-Nn-o", `nightshift-key -> ${NIGHTSHIFT}`],
    ["-NnO-", `nightshift-key -> ${NIGHTSHIFT}`],
    ["-NnOo", `nightshift-key -> ${NIGHTSHIFT}`],
    ["F----", "UsageError"],
    ["F---o", `openai-key -> ${FLAG}`],
    ["F--O-", "UsageError"],
    ["F--Oo", "UsageError"],
    ["F-n--", `nightshift-key -> ${FLAG}`],
    ["F-n-o", `nightshift-key -> ${FLAG}`],
    ["F-nO-", `nightshift-key -> ${FLAG}`],
    ["F-nOo", `nightshift-key -> ${FLAG}`],
    ["FN---", "UsageError"],
    ["FN--o", `openai-key -> ${FLAG}`],
    ["FN-O-", "UsageError"],
    ["FN-Oo", "UsageError"],
    ["FNn--", `nightshift-key -> ${FLAG}`],
    ["FNn-o", `nightshift-key -> ${FLAG}`],
    ["FNnO-", `nightshift-key -> ${FLAG}`],
    ["FNnOo", `nightshift-key -> ${FLAG}`],
  ])("with %s: %s", (given, expected) => {
    expect(
      access({
        flag: given.includes("F"),
        nightshiftUrl: given.includes("N"),
        nightshiftKey: given.includes("n"),
        openaiUrl: given.includes("O"),
        openaiKey: given.includes("o"),
      }),
    ).toBe(expected);
  });

  test("OPENAI_API_KEY never goes to a host that the user did not name", () => {
    for (const settings of ALL) expect(access(settings)).not.toBe(`openai-key -> ${DEFAULT}`);
  });

  test("OPENAI_API_KEY never goes elsewhere than where OPENAI_BASE_URL points", () => {
    const elsewhere = ALL.filter(({ openaiUrl }) => openaiUrl).map(access);
    for (const found of elsewhere)
      expect(found).not.toMatch(/^openai-key -> (?!.*openai\.example)/);
  });

  test("NIGHTSHIFT_API_KEY never follows OPENAI_BASE_URL", () => {
    for (const settings of ALL) expect(access(settings)).not.toBe(`nightshift-key -> ${OPENAI}`);
  });

  test("OPENAI_BASE_URL may be written with or without a slash at its end", () => {
    const found = resolveAccess(
      readEnvironment({ OPENAI_BASE_URL: `${OPENAI}/`, OPENAI_API_KEY: "openai-key" }),
      OPENAI,
    );
    expect(found).toEqual({ baseUrl: OPENAI, apiKey: "openai-key" });
  });

  test("a refusal says where OPENAI_API_KEY may go, and never shows it", () => {
    const refused = (): unknown => resolveAccess(readEnvironment({ OPENAI_API_KEY: "sk-1" }), null);
    expect(refused).toThrow(/OPENAI_API_KEY is sent only where OPENAI_BASE_URL/);
    expect(refused).not.toThrow(/sk-1/);
  });

  test.each([
    [null, "NIGHTSHIFT_BASE_URL"],
    [FLAG, "--base-url"],
  ])("a refusal says which of two addresses differs (flag %s: %s)", (flag, named) => {
    const environment = readEnvironment({
      OPENAI_API_KEY: "sk-1",
      OPENAI_BASE_URL: OPENAI,
      NIGHTSHIFT_BASE_URL: NIGHTSHIFT,
    });
    expect(() => resolveAccess(environment, flag)).toThrow(
      `only where OPENAI_BASE_URL points, and ${named} points elsewhere.`,
    );
  });
});

describe("a base URL", () => {
  const none = readEnvironment({});

  test("loses the slashes at its end", () => {
    expect(resolveBaseUrl(none, "http://localhost:8080/v1//")).toBe("http://localhost:8080/v1");
  });

  test.each(["localhost:8080", "ftp://a.example", "https://", "1688token.ai/v1", ""])(
    "is refused when it is %j",
    (url) => {
      expect(() => resolveBaseUrl(none, url)).toThrow("is no http(s) address");
    },
  );

  test("is refused with a key in it, which the message does not show", () => {
    const refused = (): unknown => resolveBaseUrl(none, "https://user:sk-secret@a.example/v1");
    expect(refused).toThrow("the base URL of a.example holds a user or password");
    expect(refused).not.toThrow(/sk-secret/);
  });

  test("that is no address and holds a password is refused without showing it", () => {
    const refused = (): unknown => resolveBaseUrl(none, "user:sk-secret@a.example/v1");
    expect(refused).toThrow("is no http(s) address");
    expect(refused).not.toThrow(/sk-secret/);
  });
});

describe("the environment", () => {
  test("takes an empty variable, or one of blanks, for none", () => {
    const empty = { NIGHTSHIFT_API_KEY: "", NIGHTSHIFT_REDIS_URL: "  ", NO_COLOR: "" };
    expect(readEnvironment(empty)).toEqual(readEnvironment({}));
  });

  test("drops the line break that a pasted key ends in", () => {
    expect(readEnvironment({ NIGHTSHIFT_API_KEY: "key\n" }).nightshiftApiKey).toBe("key");
  });

  test("reads proxies in capitals first, then in small letters", () => {
    const { proxy } = readEnvironment({
      HTTPS_PROXY: "http://big:1",
      https_proxy: "http://small:1",
      http_proxy: "http://small:2",
      no_proxy: "localhost",
    });
    expect(proxy).toEqual({
      httpsProxy: "http://big:1",
      httpProxy: "http://small:2",
      noProxy: "localhost",
    });
  });

  test("reads the shared Redis and the wish for no colour", () => {
    const found = readEnvironment({ NIGHTSHIFT_REDIS_URL: "redis://r:6379", NO_COLOR: "1" });
    expect([found.redisUrl, found.noColor]).toEqual(["redis://r:6379", true]);
  });

  test.each([
    [{ npm_command: "exec", npm_lifecycle_event: "npx" }, "npx nightshift"],
    [{ npm_command: "exec" }, "npx nightshift"],
    [{ npm_command: "run-script", npm_lifecycle_event: "nightly" }, "nightshift"],
    [{}, "nightshift"],
  ])("tells by npm's variables what the user typed: %j", (variables, launcher) => {
    expect(readEnvironment(variables).launcher).toBe(launcher);
  });

  test("reads the prefix and the certificates of the shared Redis", () => {
    const environment = readEnvironment({
      NIGHTSHIFT_REDIS_URL: "rediss://r:6379",
      NIGHTSHIFT_REDIS_PREFIX: "team-a",
      NIGHTSHIFT_REDIS_CA: "/etc/ca.pem",
    });
    const tls = { ca: "/etc/ca.pem", cert: null, key: null };
    expect(resolveRedis(environment, null)).toEqual({
      address: "rediss://r:6379",
      prefix: "team-a",
      tls,
    });
    expect(resolveRedis(environment, "redis://flag")?.address).toBe("redis://flag");
  });

  test("knows no shared Redis where none is named, and calls its keys nightshift otherwise", () => {
    expect(resolveRedis(readEnvironment({}), null)).toBeNull();
    expect(resolveRedis(readEnvironment({}), "redis://r")?.prefix).toBe("nightshift");
  });

  test.each(["team:a", "team a", "{team}", "team*", "-team", "x".repeat(65)])(
    "refuses the prefix %j",
    (prefix) => {
      const environment = readEnvironment({ NIGHTSHIFT_REDIS_PREFIX: prefix });
      expect(() => resolveRedis(environment, "redis://r")).toThrow(/NIGHTSHIFT_REDIS_PREFIX is .*/);
    },
  );

  test.each<[NodeJS.Platform, Readonly<Record<string, string>>, string | null]>([
    ["linux", { XDG_STATE_HOME: "/state", HOME: "/home/ann" }, "/state/nightshift"],
    ["linux", { HOME: "/home/ann" }, "/home/ann/.local/state/nightshift"],
    ["linux", { XDG_STATE_HOME: "state", HOME: "/home/ann" }, "/home/ann/.local/state/nightshift"],
    ["darwin", { HOME: "/Users/ann" }, "/Users/ann/.local/state/nightshift"],
    ["win32", { LOCALAPPDATA: "C:\\Ann", HOME: "C:\\Home" }, "C:\\Ann\\nightshift"],
    ["linux", {}, null],
  ])("finds a place for what helps the next run: on %s, %j", (platform, variables, place) => {
    expect(readEnvironment(variables, platform).stateDirectory).toBe(place);
  });
});

describe("the word about a missing key", () => {
  const path = "/home/me/.env";

  test.each([
    [{ path, exists: false }, "in the environment or in /home/me/.env, which is not there."],
    [{ path, exists: true }, "or in /home/me/.env, which is there, but gives it no value."],
    [null, "set NIGHTSHIFT_API_KEY in the environment. For"],
  ])("names the file that was looked for: %j", (dotEnv, says) => {
    const environment = readEnvironment({}, "linux", dotEnv);
    expect(() => resolveAccess(environment, null)).toThrow(says);
  });
});
