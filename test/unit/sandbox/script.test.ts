import { describe, expect, it } from "vitest";

import { createScript } from "../../../src/sandbox/script.ts";

describe("a script", () => {
  it("takes as many matching requests as its rule says", () => {
    const script = createScript();
    script.add([{ match: "apple", times: 2, status: 418 }]);
    const taken = ["apple", "pear", "apple", "apple"].map((body) => script.next(body)?.status);
    expect(taken).toEqual([418, undefined, 418, undefined]);
  });

  it("uses rules in their order", () => {
    const script = createScript();
    script.add([{ fault: "429" }, { fault: "500" }]);
    expect([script.next("")?.fault, script.next("")?.fault]).toEqual(["429", "500"]);
  });

  it.each([
    ["an unknown fault", [{ fault: "boom" }]],
    ["an unknown field", [{ fautl: "429" }]],
    ["a header that cannot be sent", [{ status: 200, headers: { "a b": "c" } }]],
    ["something that is no list", { fault: "429" }],
  ])("refuses %s", (_what, rules) => {
    expect(() => createScript().add(rules)).toThrow(/^Script: /);
  });
});
