import { describe, expect, test } from "vitest";

import { explainProblem } from "../../../src/queue/connect-problem.ts";

function anError(code: string, message = code, name = "Error"): Error {
  return Object.assign(new Error(message), { code, name });
}

describe("a Redis that cannot be used", () => {
  test.each([
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "NIGHTSHIFT_REDIS_CA"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "NIGHTSHIFT_REDIS_CA"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "NIGHTSHIFT_REDIS_CA"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "a name (or IP) that the certificate lists"],
    ["CERT_HAS_EXPIRED", "Renew its certificate, or set this machine's clock"],
    ["CERT_NOT_YET_VALID", "set this machine's clock"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "NIGHTSHIFT_REDIS_CERT"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "write redis:// instead of rediss://"],
  ])("for its certificate (%s) is told how to mend that", (code, remedy) => {
    expect(explainProblem(anError(code), true)).toMatchObject({
      answered: true,
      remedy: expect.stringContaining(remedy) as string,
    });
  });

  test.each([
    ["NOAUTH Authentication required.", "It wants a password"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "User or password are wrong"],
    ["NOPERM User team has no permissions to run the 'select' command", "docs/redis.md"],
    ["ERR DB index is out of range", "no database of that number"],
  ])("for what it answers (%s) is told what to write instead", (message, remedy) => {
    expect(explainProblem(anError("", message, "ReplyError"), false)).toMatchObject({
      answered: true,
      message: message.replace(/\.$/, ""),
      remedy: expect.stringContaining(remedy) as string,
    });
  });

  test.each(["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT", "ENOENT"])(
    "for being away (%s) is to be started or corrected",
    (code) => {
      expect(explainProblem(anError(code), true)).toMatchObject({
        answered: false,
        remedy: expect.stringContaining("`nightshift run` without either brings its own") as string,
      });
    },
  );

  test("for closing the connection may want TLS", () => {
    expect(explainProblem(anError("ECONNRESET"), false).remedy).toContain(
      "rediss:// instead of redis://",
    );
  });

  test("for saying nothing to TLS may speak none", () => {
    const { answered, remedy } = explainProblem(anError("ETIMEDOUT"), true);
    expect(answered).toBe(false);
    expect(remedy).toMatch(/write redis:\/\/ instead of rediss:\/\/\. Start it/);
    expect(explainProblem(anError("ETIMEDOUT"), false).remedy).toMatch(/^Start it/);
  });

  test("at all addresses of its name is explained by the first of them", () => {
    const both = new AggregateError([anError("ECONNREFUSED", "connect ECONNREFUSED ::1:6379")], "");
    expect(explainProblem(both, false).message).toBe("connect ECONNREFUSED ::1:6379");
  });
});
