import { expect, it } from "vitest";

import { UsageError } from "../../../src/errors.ts";
import { checkConditions } from "../../../src/run/retry-conditions.ts";

it.each([
  [],
  [{ field: "code", value: "timeout" }],
  [
    { field: "class", value: "retry" },
    { field: "status", value: "504" },
  ],
])("takes a list of conditions", (...conditions) => {
  expect(() => checkConditions(conditions)).not.toThrow();
});

it.each([
  [{ where: "code=timeout" }, '{"where":"code=timeout"} is no list of conditions'],
  ["code=timeout", '"code=timeout" is no list of conditions'],
  [["code=timeout"], '"code=timeout" is no condition'],
  [[{ field: "cod", value: "timeout" }], '{"field":"cod","value":"timeout"} is no condition'],
  [[{ field: "status", value: 504 }], '{"field":"status","value":504} is no condition'],
  [[{ field: "code", value: "timeout" }, undefined], "undefined is no condition"],
])("refuses %j, and says how they are written", (conditions, says) => {
  expect(() => checkConditions(conditions)).toThrow(UsageError);
  expect(() => checkConditions(conditions)).toThrow(says);
  expect(() => checkConditions(conditions)).toThrow('[{ field: "code", value: "timeout" }]');
});
