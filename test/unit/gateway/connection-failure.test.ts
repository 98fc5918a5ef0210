import { describe, expect, test } from "vitest";

import { connectionCause, connectionMessage } from "../../../src/gateway/connection-failure.ts";

const BEFORE = { sent: false, answering: false };
const SENT = { sent: true, answering: false };
const ANSWERING = { sent: true, answering: true };

function failing(code: string): Error {
  return Object.assign(new Error(`failed with ${code}`), { code });
}

describe("before anything was sent", () => {
  test.each([
    ["UND_ERR_CONNECT_TIMEOUT", "connect-timeout"],
    ["ETIMEDOUT", "connect-timeout"],
    ["ECONNREFUSED", "refused"],
    ["EHOSTUNREACH", "refused"],
    ["ENETUNREACH", "refused"],
    ["UND_ERR_ABORTED", "refused"],
    ["ENOTFOUND", "dns"],
    ["EAI_AGAIN", "dns"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls"],
    ["CERT_HAS_EXPIRED", "tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "tls"],
    ["EPROTO", "tls"],
    ["ECONNRESET", "reset"],
    ["EMFILE", "reset"],
  ])("%s is %s", (code, cause) => {
    expect(connectionCause(failing(code), BEFORE)).toBe(cause);
  });
});

test("a request on its way that brings no byte back was reset, whatever the code", () => {
  expect(connectionCause(failing("ETIMEDOUT"), SENT)).toBe("reset");
});

test("an answer that had begun is cut, whatever the code", () => {
  expect(connectionCause(failing("ECONNRESET"), ANSWERING)).toBe("cut");
});

test("headers without end are too large", () => {
  expect(connectionCause(failing("UND_ERR_HEADERS_OVERFLOW"), SENT)).toBe("too-large");
});

describe("the message", () => {
  test("is the error's own", () => {
    expect(connectionMessage(new Error("broken"))).toBe("broken");
  });

  test("is that of the first address where several were tried", () => {
    const tried = [new Error("connect ECONNREFUSED ::1:80"), new Error("connect 127.0.0.1:80")];
    expect(connectionMessage(new AggregateError(tried))).toBe("connect ECONNREFUSED ::1:80");
  });

  test("is the code where there are no words", () => {
    expect(connectionMessage(Object.assign(new Error(""), { code: "EPIPE" }))).toBe("EPIPE");
  });
});
