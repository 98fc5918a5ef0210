import { describe, expect, it } from "vitest";

import { SEEDED_KEYS, authenticate, openAccounts } from "../../../src/sandbox/keys.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

const accounts = openAccounts(
  { ...SEEDED_KEYS, "sk-my-key": {} },
  { limits: {}, balanceUsd: 5 },
  new FakeClock(),
);

const found = (header: string | undefined): string => {
  const account = authenticate(accounts, header);
  return typeof account === "string" ? account : account.masked;
};

describe("authenticate", () => {
  it.each(["Bearer sk-demo", "bearer sk-demo", "BEARER  sk-demo", "Bearer demo"])(
    "accepts %s",
    (header) => expect(found(header)).toBe("sk-dem***"),
  );

  it("finds a key with a dash in it", () => {
    expect(found("Bearer sk-my-key")).toBe("sk-my-***");
  });

  it.each([undefined, "", "Bearer sk-other", "Bearer sk-expired"])("refuses %s", (header) => {
    expect(found(header)).toBe("401");
  });

  it("refuses a channel asked for behind the key", () => {
    expect(found("Bearer sk-demo-7")).toBe("403-channel");
  });
});

describe("openAccounts", () => {
  it("gives the common balance to keys that have none of their own", () => {
    expect([accounts.get("demo")?.balanceUsd, accounts.get("broke")?.balanceUsd]).toEqual([5, 0]);
  });
});
