import { describe, expect, it } from "vitest";

import { overridesOf } from "../../../src/commands/job-flags.ts";

describe("the flags of a job", () => {
  it("override only what was given", () => {
    expect(overridesOf({ model: "gpt-5", csvBom: false, rpm: 0 })).toEqual({
      model: "gpt-5",
      csvBom: false,
      rpm: 0,
    });
  });

  it("pass on nothing that is no setting of a job", () => {
    const flags = { first: 5, json: true, quiet: true };
    expect(overridesOf(flags)).toEqual({ first: 5 });
  });

  it.each([
    ["temperature=0", { temperature: 0 }],
    ["stop=null", { stop: null }],
    ['response_format={"type":"json_object"}', { response_format: { type: "json_object" } }],
    ['user="7"', { user: "7" }],
    ["user=night shift", { user: "night shift" }],
    ["expression=a=b", { expression: "a=b" }],
    ["user=", { user: "" }],
  ])("read --param %s", (param, params) => {
    expect(overridesOf({ param: [param] })).toEqual({ params });
  });

  it("take the last of several values for one param", () => {
    const param = ["temperature=0", "n=2", "temperature=1"];
    expect(overridesOf({ param })).toEqual({ params: { temperature: 1, n: 2 } });
  });

  it.each(["temperature", "=1", ""])("refuse --param %j, and show how it is written", (param) => {
    expect(() => overridesOf({ param: [param] })).toThrow(
      `--param ${JSON.stringify(param)}: write key=value`,
    );
  });
});
