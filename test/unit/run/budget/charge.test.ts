import { describe, expect, it } from "vitest";

import { classify } from "../../../../src/gateway/classify.ts";
import type { Reply } from "../../../../src/gateway/reply.ts";
import { type Charge, chargeOf } from "../../../../src/run/budget/charge.ts";
import { aCompletion, anAnswer, anError, aSilence } from "../../../fakes/fake-gateway.ts";

function chargeFor(reply: Reply, onLength: "keep" | "fail" = "keep"): Charge {
  return chargeOf(classify(reply, { onLength, now: 0 }));
}

const USAGE = { prompt_tokens: 30, completion_tokens: 12 };
const READ = { prompt: 30, completion: 12, total: 42, cached: 0, reasoning: 0 };
const CUT = anAnswer(
  200,
  JSON.stringify({ choices: [{ message: {}, finish_reason: "length" }], usage: USAGE }),
);

describe("a call costs", () => {
  it("what its answer says, and results.jsonl will say it too", () => {
    expect(chargeFor(aCompletion(USAGE))).toEqual({ kind: "recorded", usage: READ });
  });

  it("what its answer says where the answer makes the item fail, though no file will tell", () => {
    expect(chargeFor(CUT, "fail")).toEqual({ kind: "unrecorded", usage: READ });
  });

  it.each<[string, Reply]>([
    ["timed out", aSilence("timeout")],
    ["broke off", aSilence("cut")],
    ["was no JSON", anAnswer(200, "upstream says: <nil>")],
    ["had no choices", anAnswer(200, '{"choices":[]}')],
    ["was given up by the edge in front", anError(504, "", "Gateway time-out")],
    ["was given up by Cloudflare", anError(524, "", "A timeout occurred")],
  ])("perhaps all that it could when its answer %s", (_how, reply) => {
    expect(chargeFor(reply)).toEqual({ kind: "unrecorded", usage: null });
  });

  it("perhaps all that it could when its answer named no usage, though results.jsonl tells of the call", () => {
    expect(chargeFor(aCompletion({}))).toEqual({ kind: "unmeasured" });
  });

  it("perhaps all that it could when it was broken off", () => {
    expect(chargeOf(null)).toEqual({ kind: "unrecorded", usage: null });
  });

  it.each<[string, Reply]>([
    ["failed", anError(500, "", "do request failed")],
    ["refused the item", anError(400, "invalid_request")],
    ["refused the key", anError(401, "", "Invalid token")],
    ["was not there", aSilence("refused")],
    ["reset the connection before a byte", aSilence("reset")],
  ])("nothing where the gateway %s", (_how, reply) => {
    expect(chargeFor(reply)).toEqual({ kind: "free" });
  });

  it("nothing where it was throttled, and is no request either", () => {
    expect(chargeFor(anError(429, "rate_limit_exceeded"))).toEqual({ kind: "throttled" });
  });
});
