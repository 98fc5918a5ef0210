import { expect, test } from "vitest";

import { redactSecrets } from "../../../src/gateway/redact.ts";

test.each([
  ["Incorrect API key provided: sk-proj-Ab_12-Cd34.", "Incorrect API key provided: sk-***."],
  ["TokenStatusExhausted[sk-abc***xyz]", "TokenStatusExhausted[sk-***]"],
  ['{"authorization":"Bearer eyJhbGciOi.J9-x/y+z=="}', '{"authorization":"Bearer ***=="}'],
  ["SK-ABCDEF and sk-123456", "SK-*** and sk-***"],
])("masks the keys in %j", (text, expected) => {
  expect(redactSecrets(text)).toBe(expected);
});

test.each(["the task-force at risk-management", "sk- is a prefix", "无效的令牌"])(
  "leaves %j alone",
  (text) => {
    expect(redactSecrets(text)).toBe(text);
  },
);
