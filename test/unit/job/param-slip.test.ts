import { expect, it } from "vitest";

import { meantParam } from "../../../src/job/param-slip.ts";

it.each([
  ["max_token", "max_tokens"],
  ["maxTokens", "max_tokens"],
  ["temprature", "temperature"],
  ["response_fromat", "response_format"],
])("`%s` was probably meant to be `%s`", (name, meant) => {
  expect(meantParam(name)).toBe(meant);
});

it.each(["max_tokens", "top_k", "min_tokens", "ignore_eos", "typical_p", "stop", "echo", "n"])(
  "`%s` may be what it is called",
  (name) => {
    expect(meantParam(name)).toBeUndefined();
  },
);
