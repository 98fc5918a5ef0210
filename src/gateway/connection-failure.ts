import type { Unanswered } from "./reply.ts";

/** Where a call stood when its connection failed. */
export interface Progress {
  /** The request was on its way. */
  readonly sent: boolean;
  /** The status line had come. */
  readonly answering: boolean;
}

const CAUSES: Readonly<Record<string, Unanswered["cause"]>> = {
  UND_ERR_CONNECT_TIMEOUT: "connect-timeout",
  ETIMEDOUT: "connect-timeout",
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "refused",
  ENETUNREACH: "refused",
  ENETDOWN: "refused",
  // The proxy would not open a way to the gateway.
  UND_ERR_ABORTED: "refused",
  UND_ERR_PRX_CONN: "refused",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_FAIL: "dns",
  UND_ERR_PRX_TLS: "tls",
  EPROTO: "tls",
  UND_ERR_HEADERS_OVERFLOW: "too-large",
};
const TLS_CODE = /CERT|_TLS_|_SSL_|SIGNATURE|ISSUER|CRL/;

/** What a failed connection means, by the code that Node or undici gave it. */
export function connectionCause(error: Error, progress: Progress): Unanswered["cause"] {
  if (progress.answering) return "cut";
  // Something came, but it was no HTTP. Undici gives this error no code.
  if (error.name === "HTTPParserError") return "cut";
  const code = codeOf(error);
  if (progress.sent) return CAUSES[code] === "too-large" ? "too-large" : "reset";
  return CAUSES[code] ?? (TLS_CODE.test(code) ? "tls" : "reset");
}

/** What the network said; the first of its reasons where several addresses were tried. */
export function connectionMessage(error: Error): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return (inner instanceof Error ? inner.message : error.message) || codeOf(error) || error.name;
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
