/** Why a Redis could not be used, and what to do about it. */
export interface ConnectProblem {
  /** Whether it answered at all. */
  readonly answered: boolean;
  readonly message: string;
  readonly remedy: string;
}

const RIGHTS = "docs/redis.md lists the rights that Nightshift needs.";

/** What to do, by what an error's code or message says; the first that fits. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/,
    "This machine does not know who signed its certificate: name the CA's file (PEM) in NIGHTSHIFT_REDIS_CA.",
  ],
  [
    /ALTNAME_INVALID/,
    "Its certificate is for another name: write the address with a name (or IP) that the certificate lists.",
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "Renew its certificate, or set this machine's clock: one of them is wrong.",
  ],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|UNKNOWN_CA|BAD_CERTIFICATE/i,
    "It wants a client's certificate: name its file and its key's in NIGHTSHIFT_REDIS_CERT and NIGHTSHIFT_REDIS_KEY " +
      "(or set `tls-auth-clients no` there).",
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL/,
    "It does not speak TLS at that port: write redis:// instead of rediss://, or its TLS port.",
  ],
  [/NOAUTH/, "It wants a password: write redis://user:password@host:6379 (NIGHTSHIFT_REDIS_URL)."],
  [
    /WRONGPASS|invalid password/i,
    "User or password are wrong: correct them in NIGHTSHIFT_REDIS_URL (or --redis); signs such as @ : / ? # % are written %40 %3A %2F %3F %23 %25.",
  ],
  [/NOPERM/, RIGHTS],
  [
    /DB index/i,
    "It has no database of that number: write another after the last / of the address.",
  ],
  [
    /Protocol error|Connection is closed|ECONNRESET|EPIPE/,
    "It closed the connection: if that port speaks TLS, write rediss:// instead of redis://.",
  ],
];

const PERHAPS_NO_TLS = "If that port does not speak TLS, write redis:// instead of rediss://. ";
const START_IT =
  "Start it, or correct --redis (or NIGHTSHIFT_REDIS_URL); " +
  "`nightshift run` without either brings its own.";

/** Explains what was thrown while connecting, with TLS or without. */
export function explainProblem(thrown: unknown, tls: boolean): ConnectProblem {
  const { name, code, message } = described(thrown);
  const remedy = REMEDIES.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1];
  // A server without TLS waits for the end of what it takes for a command.
  const silent = tls && code === "ETIMEDOUT" ? PERHAPS_NO_TLS : "";
  return {
    answered: name === "ReplyError" || (remedy !== undefined && !/ECONNRESET|EPIPE/.test(code)),
    message: message.replace(/\.$/, ""),
    remedy: remedy ?? silent + START_IT,
  };
}

function described(thrown: unknown): { name: string; code: string; message: string } {
  if (!(thrown instanceof Error)) return { name: "", code: "", message: String(thrown) };
  // A host with several addresses fails with all their errors in one that has no message.
  const [first] = thrown instanceof AggregateError ? (thrown.errors as unknown[]) : [];
  if (first instanceof Error) return described(first);
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
  return { name: thrown.name, code, message: thrown.message || code };
}
