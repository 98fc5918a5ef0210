import { posix, win32 } from "node:path";

import { UsageError } from "../errors.ts";
import { type DotEnv, loadDotEnv } from "./dot-env.ts";

/** Proxies as the environment names them. */
export interface ProxySettings {
  readonly httpsProxy: string | null;
  readonly httpProxy: string | null;
  readonly noProxy: string | null;
}

/** Everything Nightshift takes from the environment. An empty variable counts as not set. */
export interface Environment {
  readonly nightshiftApiKey: string | null;
  readonly nightshiftBaseUrl: string | null;
  readonly openaiApiKey: string | null;
  readonly openaiBaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly redisPrefix: string | null;
  readonly redisTls: RedisAccess["tls"];
  /** Where runs are told of whose job names no webhook. */
  readonly webhookUrl: string | null;
  /** Signs what a webhook is sent. */
  readonly webhookSecret: string | null;
  readonly proxy: ProxySettings;
  /** Where Nightshift may keep what helps its next run; null where there is no such place. */
  readonly stateDirectory: string | null;
  readonly noColor: boolean;
  /** Null where nobody looked for one. */
  readonly dotEnv: DotEnv | null;
  /** What a user types to start Nightshift: npm's own variables tell of npx. */
  readonly launcher: "nightshift" | "npx nightshift";
}

/** Where calls go, and with what key. */
export interface GatewayAccess {
  readonly baseUrl: string;
  readonly apiKey: string;
}

/** A shared Redis or Valkey: where it is, how to be let in, and which keys in it are ours. */
export interface RedisAccess {
  readonly address: string;
  /** What all keys begin with, so that several teams can use one Redis. */
  readonly prefix: string;
  /** Paths of PEM files; null where there is none. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
}

const DEFAULT_REDIS_PREFIX = "nightshift";
const DEFAULT_BASE_URL = "https://1688token.ai/v1";

/** The process's variables, and behind them those of `.env` in a directory. */
export function readEnvironmentIn(directory: string): Environment {
  const dotEnv = loadDotEnv(directory, process.env);
  return readEnvironment(process.env, process.platform, dotEnv);
}

export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  dotEnv: DotEnv | null = null,
): Environment {
  const get = (...names: string[]): string | null => {
    for (const name of names) {
      const value = variables[name]?.trim();
      if (value !== undefined && value !== "") return value;
    }
    return null;
  };
  return {
    nightshiftApiKey: get("NIGHTSHIFT_API_KEY"),
    nightshiftBaseUrl: get("NIGHTSHIFT_BASE_URL"),
    openaiApiKey: get("OPENAI_API_KEY"),
    openaiBaseUrl: get("OPENAI_BASE_URL"),
    redisUrl: get("NIGHTSHIFT_REDIS_URL"),
    redisPrefix: get("NIGHTSHIFT_REDIS_PREFIX"),
    redisTls: {
      ca: get("NIGHTSHIFT_REDIS_CA"),
      cert: get("NIGHTSHIFT_REDIS_CERT"),
      key: get("NIGHTSHIFT_REDIS_KEY"),
    },
    webhookUrl: webhookUrl(get("NIGHTSHIFT_WEBHOOK_URL")),
    webhookSecret: get("NIGHTSHIFT_WEBHOOK_SECRET"),
    proxy: {
      httpsProxy: get("HTTPS_PROXY", "https_proxy"),
      httpProxy: get("HTTP_PROXY", "http_proxy"),
      noProxy: get("NO_PROXY", "no_proxy"),
    },
    stateDirectory: stateDirectory(get, platform),
    noColor: get("NO_COLOR") !== null,
    dotEnv,
    launcher:
      get("npm_command") === "exec" || get("npm_lifecycle_event") === "npx"
        ? "npx nightshift"
        : "nightshift",
  };
}

function webhookUrl(text: string | null): string | null {
  if (text === null || (/^https?:\/\/[^/]/.test(text) && URL.canParse(text))) return text;
  // It may hold a secret, and is not shown.
  throw new UsageError(
    "NIGHTSHIFT_WEBHOOK_URL is no http(s) address: write it like https://example.com/hook",
  );
}

/** By the XDG Base Directory Specification, which has relative paths ignored; Windows has its own. */
function stateDirectory(
  get: (name: string) => string | null,
  platform: NodeJS.Platform,
): string | null {
  const path = platform === "win32" ? win32 : posix;
  const below = (name: string, ...rest: string[]): string | null => {
    const base = get(name);
    return base !== null && path.isAbsolute(base) ? path.join(base, ...rest, "nightshift") : null;
  };
  return (
    below("XDG_STATE_HOME") ??
    (platform === "win32" ? below("LOCALAPPDATA") : below("HOME", ".local", "state"))
  );
}

/** The gateway's address: flag, then NIGHTSHIFT_BASE_URL, then OpenAI's pair of variables, then the default. */
export function resolveBaseUrl(environment: Environment, flag: string | null): string {
  const named = flag ?? environment.nightshiftBaseUrl;
  // OPENAI_BASE_URL belongs to OPENAI_API_KEY: a Nightshift key must not follow it to another host.
  const url = named ?? (environment.nightshiftApiKey === null ? environment.openaiBaseUrl : null);
  const baseUrl = url ?? DEFAULT_BASE_URL;
  if (!/^https?:\/\//.test(baseUrl) || !URL.canParse(baseUrl)) {
    throw new UsageError(
      `the base URL ${JSON.stringify(baseUrl.replace(/.*@/, ""))} is no http(s) address: write it like ${DEFAULT_BASE_URL}`,
    );
  }
  const parsed = new URL(baseUrl);
  if (parsed.search !== "" || parsed.hash !== "") {
    throw new UsageError(
      `the base URL of ${parsed.host} holds a query (after ? or #): leave it out, and put a key into NIGHTSHIFT_API_KEY`,
    );
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new UsageError(
      `the base URL of ${parsed.host} holds a user or password: put the key into NIGHTSHIFT_API_KEY instead`,
    );
  }
  return baseUrl.replace(/\/+$/, "");
}

/**
 * The gateway's address and the key that was given for it.
 *
 * @throws UsageError when there is no key for that address.
 */
export function resolveAccess(environment: Environment, flag: string | null): GatewayAccess {
  const baseUrl = resolveBaseUrl(environment, flag);
  const apiKey = environment.nightshiftApiKey ?? openaiKeyFor(baseUrl, environment, flag);
  if (apiKey === null) {
    throw new UsageError(
      `there is no API key for ${baseUrl}: set NIGHTSHIFT_API_KEY in the environment${orIn(environment.dotEnv)}. ` +
        "For a gateway that asks for none, set it to any word." +
        whyNotOpenai(environment, flag),
    );
  }
  return { baseUrl, apiKey };
}

function whyNotOpenai({ openaiApiKey, openaiBaseUrl }: Environment, flag: string | null): string {
  if (openaiApiKey === null) return "";
  if (openaiBaseUrl === null) {
    return " OPENAI_API_KEY is sent only where OPENAI_BASE_URL or your own base URL points.";
  }
  const named = flag === null ? "NIGHTSHIFT_BASE_URL" : "--base-url";
  return ` OPENAI_API_KEY is sent only where OPENAI_BASE_URL points, and ${named} points elsewhere.`;
}

function orIn(dotEnv: DotEnv | null): string {
  if (dotEnv === null) return "";
  return ` or in ${dotEnv.path}, which ${dotEnv.exists ? "is there, but gives it no value" : "is not there"}`;
}

/**
 * The shared Redis that a flag or the environment names; null where neither does.
 *
 * @throws UsageError when the prefix could not stand in front of a key.
 */
export function resolveRedis(environment: Environment, flag: string | null): RedisAccess | null {
  const address = flag ?? environment.redisUrl;
  if (address === null) return null;
  const prefix = environment.redisPrefix ?? DEFAULT_REDIS_PREFIX;
  // A colon would let one team's keys look like another's; the other signs mean something to Redis.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(prefix)) {
    throw new UsageError(
      `NIGHTSHIFT_REDIS_PREFIX is ${JSON.stringify(prefix)}: write 1 to 64 letters, digits, dots, ` +
        "hyphens or underscores, for example team-a",
    );
  }
  return { address, prefix, tls: environment.redisTls };
}

/** OPENAI_API_KEY goes only to the address it was given for, or to one that the user named. */
function openaiKeyFor(
  baseUrl: string,
  environment: Environment,
  flag: string | null,
): string | null {
  const { openaiApiKey, openaiBaseUrl } = environment;
  if (openaiBaseUrl !== null) {
    return openaiBaseUrl.replace(/\/+$/, "") === baseUrl ? openaiApiKey : null;
  }
  return flag !== null || environment.nightshiftBaseUrl !== null ? openaiApiKey : null;
}
