import type { Connection } from "./connection.ts";

/** What a Redis tells of itself that matters to a queue. */
export interface ServerFacts {
  /** `Redis`, `Valkey`. */
  readonly software: string;
  /** Null where it does not say. */
  readonly version: string | null;
  readonly isCluster: boolean;
  readonly isReadOnly: boolean;
  readonly maxMemoryBytes: number;
  readonly evictionPolicy: string | null;
  /** Null where it does not say. */
  readonly keepsOnDisk: boolean | null;
}

/** What is to be said about a server before it gets work. */
export interface ServerJudgement {
  /** Why it cannot be used; null where it can. */
  readonly refusal: string | null;
  /** What should be mended. */
  readonly warnings: readonly string[];
  /** What it would cost if this server died; null where that is nothing worth saying. */
  readonly hint: string | null;
}

/** Without `BZPOPMIN` no queue moves. */
const OLDEST_POSSIBLE = [5, 0] as const;
/** What BullMQ is made for. */
const OLDEST_ADVISED = [6, 2] as const;

/** Asks a server about itself; one that may not say is taken as it is. */
export async function askServer(connection: Connection): Promise<ServerFacts> {
  const [info, save] = await Promise.all([
    connection.info().catch(() => ""),
    connection.config("GET", "save").catch(() => null),
  ]);
  return factsIn(info, saveIn(save));
}

/** @param save the setting `save`; null where it is unknown. */
export function factsIn(info: string, save: string | null): ServerFacts {
  const fields = new Map(
    info.split(/\r?\n/).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)] as const;
    }),
  );
  const valkey = fields.get("valkey_version");
  const hasLog = fields.get("aof_enabled") === "1";
  return {
    software: valkey === undefined ? "Redis" : "Valkey",
    version: valkey ?? fields.get("redis_version") ?? null,
    isCluster: fields.get("cluster_enabled") === "1" || fields.get("redis_mode") === "cluster",
    isReadOnly: fields.get("role") === "slave" && fields.get("slave_read_only") !== "0",
    maxMemoryBytes: Number(fields.get("maxmemory") ?? 0),
    evictionPolicy: fields.get("maxmemory_policy") ?? null,
    keepsOnDisk: hasLog || (save === null ? null : save !== ""),
  };
}

export function judgeServer(facts: ServerFacts): ServerJudgement {
  return {
    refusal: refusalOf(facts),
    warnings: [oldVersion(facts), evicting(facts)].filter((warning) => warning !== null),
    hint: facts.keepsOnDisk === false ? hintOf(facts) : null,
  };
}

function refusalOf({ software, version, isCluster, isReadOnly }: ServerFacts): string | null {
  if (isCluster) {
    return (
      "it runs in cluster mode, and Nightshift speaks to one server. Name a Redis or Valkey outside a cluster; " +
      "a primary with replicas behind one address is well"
    );
  }
  if (isReadOnly) return "it is a replica and takes no writes. Name its primary";
  if (isOlder(version, OLDEST_POSSIBLE)) {
    return `it is ${software} ${version}, and the queue needs ${OLDEST_ADVISED.join(".")} or newer. Update it`;
  }
  return null;
}

function oldVersion({ software, version }: ServerFacts): string | null {
  if (!isOlder(version, OLDEST_ADVISED)) return null;
  return (
    `${software} ${version} is older than ${OLDEST_ADVISED.join(".")}, the oldest that the queue is made for: ` +
    "update it soon."
  );
}

function evicting({ software, maxMemoryBytes, evictionPolicy }: ServerFacts): string | null {
  if (evictionPolicy === null || evictionPolicy === "noeviction") return null;
  const when =
    maxMemoryBytes > 0
      ? `when its ${Math.round(maxMemoryBytes / 1024 / 1024)} MB are full`
      : "as soon as it has a maxmemory and that is full";
  return (
    `${software} throws keys away ${when} (maxmemory-policy ${evictionPolicy}): ` +
    "the queue loses items then. A run puts them back, but slowly, and some may be asked twice. " +
    "Set maxmemory-policy to noeviction."
  );
}

function hintOf({ software }: ServerFacts): string {
  return (
    `${software} keeps nothing on disk (appendonly no, no save points). No recorded answer is lost with it. ` +
    "If it restarts, a run fills its queue again, and asks again only for answers of workers elsewhere " +
    "that were not recorded yet; a run without its owner waits until its command is started again."
  );
}

function isOlder(version: string | null, [major, minor]: readonly [number, number]): boolean {
  const [, ownMajor, ownMinor] = /^(\d+)\.(\d+)/.exec(version ?? "") ?? [];
  if (ownMajor === undefined) return false;
  return Number(ownMajor) < major || (Number(ownMajor) === major && Number(ownMinor) < minor);
}

/** `CONFIG GET` answers with a list, or with a map where the protocol has maps. */
function saveIn(reply: unknown): string | null {
  const value: unknown = Array.isArray(reply)
    ? reply[1]
    : (reply as Readonly<Record<string, unknown>> | null)?.["save"];
  return typeof value === "string" ? value : null;
}
