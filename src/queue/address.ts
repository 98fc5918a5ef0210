import { UsageError } from "../errors.ts";

/** What an address of a Redis says. */
export interface Endpoint {
  /** Null where a socket's path says it. */
  readonly host: string | null;
  readonly port: number;
  readonly socketPath: string | null;
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
}

const DEFAULT_PORT = 6379;

/**
 * Reads `redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS),
 * `unix://[user:password@]/path/to.sock[?db=n]` or a socket's absolute path.
 *
 * @throws UsageError when the address is no such thing; it does not repeat the password.
 */
export function parseAddress(address: string): Endpoint {
  return socketIn(address) ?? serverIn(address);
}

/** The address without user, password and whatever else may be secret, for messages and logs. */
export function redactAddress(address: string): string {
  return (
    address
      // Up to the last `@`: people forget to escape the one in their password, and the scheme.
      .replace(/^([a-z+]+:\/\/)?.*@/is, "$1")
      .replace(/[?#](?!db=\d+$).*$/s, "")
  );
}

function socketIn(address: string): Endpoint | null {
  const [, login, socketPath, query] =
    /^(?:(?:redis\+)?unix:\/\/)(?:(.*)@)?(\/[^?]+)(?:\?(.*))?$/is.exec(address) ??
    /^()(\/[^?]+)(?:\?(.*))?$/.exec(address) ??
    [];
  if (socketPath === undefined) return null;
  const db = query === undefined ? "0" : /^db=(\d+)$/.exec(query)?.[1];
  if (db === undefined) throw unknownQuery(address);
  const [, username, password] = /^([^:]*):?(.*)$/s.exec(login ?? "") ?? [];
  return {
    host: null,
    port: DEFAULT_PORT,
    socketPath,
    tls: false,
    username: decoded(username),
    password: decoded(password),
    db: Number(db),
  };
}

function serverIn(address: string): Endpoint {
  if (!/^rediss?:\/\/[^/]/i.test(address) || !URL.canParse(address)) throw noAddress(address);
  const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(address);
  if (search !== "") throw unknownQuery(address);
  const db = /^\/?(\d*)$/.exec(pathname)?.[1];
  if (hostname === "" || hash !== "" || db === undefined) throw noAddress(address);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? DEFAULT_PORT : Number(port),
    socketPath: null,
    tls: protocol === "rediss:",
    username: decoded(username),
    password: decoded(password),
    db: Number(db),
  };
}

/** Null for nothing; what was not escaped at all stays as it is. */
function decoded(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function noAddress(address: string): UsageError {
  const escapes = address.includes("@")
    ? ". In a user or password, signs such as @ : / ? # % are written %40 %3A %2F %3F %23 %25"
    : "";
  return new UsageError(
    `${JSON.stringify(redactAddress(address))} is no Redis address: write redis://host:6379, ` +
      `rediss://host:6379 (TLS) or unix:///path/to/redis.sock${escapes}`,
  );
}

function unknownQuery(address: string): UsageError {
  return new UsageError(
    `the Redis address ${redactAddress(address)} says something after ? that Nightshift does not know: ` +
      "write redis://user:password@host:6379/2 or unix://user:password@/path/to/redis.sock?db=2; " +
      "a CA's file goes into NIGHTSHIFT_REDIS_CA",
  );
}
