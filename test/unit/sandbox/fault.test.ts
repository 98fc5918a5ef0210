import { describe, expect, it } from "vitest";

import { faultNamed, faultNames, markedFault } from "../../../src/sandbox/fault.ts";

describe("faultNamed", () => {
  it("knows every name that it lists", () => {
    expect(faultNames().filter((name) => faultNamed(name) === undefined)).toEqual([]);
  });

  it("knows no names of object properties", () => {
    expect(["constructor", "toString"].map(faultNamed)).toEqual([undefined, undefined]);
  });
});

describe("markedFault", () => {
  const names = (text: string): (string | undefined)[] =>
    [1, 2, 3, 4].map((attempt) => markedFault(text, attempt)?.name);

  it("lasts as many attempts as the marker says", () => {
    expect(names("Hi [[fault:429x2]]")).toEqual(["429", "429", undefined, undefined]);
  });

  it("lasts for ever without a number", () => {
    expect(names("[[fault:context]]")).toEqual(["context", "context", "context", "context"]);
  });

  it("lets markers follow one another", () => {
    expect(names("[[fault:403-balancex1]] [[fault:F5x2]]")).toEqual([
      "403-balance",
      "F5",
      "F5",
      undefined,
    ]);
  });
});
