import { describe, expect, it } from "vitest";

import { askModels, type ModelsAnswer } from "../../../src/gateway/preflight.ts";
import type { Reply } from "../../../src/gateway/reply.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { anAnswer, anError, aSilence, FakeGateway } from "../../fakes/fake-gateway.ts";

async function asked(reply: Reply): Promise<ModelsAnswer> {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock);
  gateway.models = reply;
  return askModels(gateway, clock.now());
}

describe("asking for the models", () => {
  it("tells their names", async () => {
    const list = { object: "list", data: [{ id: "a" }, { id: "b" }], success: true };
    expect(await asked(anAnswer(200, JSON.stringify(list)))).toEqual({
      kind: "models",
      models: ["a", "b"],
    });
  });

  it("passes over entries that name none", async () => {
    const data = [{ id: "a" }, null, {}, { id: 7 }, "b"];
    expect(await asked(anAnswer(200, JSON.stringify({ data })))).toEqual({
      kind: "models",
      models: ["a"],
    });
  });

  it("asks below the base URL, once", async () => {
    const clock = new FakeClock();
    const gateway = new FakeGateway(clock);
    await askModels(gateway, clock.now());
    expect(gateway.gets).toEqual(["/models"]);
  });

  it.each([
    ["an endpoint that is not there", anError(404, "", "Invalid URL (GET /v1/models)")],
    ["an endpoint that is not to be read", anAnswer(405)],
    ["JSON that is no list", anAnswer(200, '{"models":[]}')],
    ["JSON that is nothing", anAnswer(200, "null")],
    ["a throttled list", anError(429, "rate_limit_exceeded")],
  ])("learns nothing from %s", async (_name, reply) => {
    expect(await asked(reply)).toEqual({ kind: "no-list" });
  });

  it.each([
    ["a wrong key", anError(401, "", "Invalid token"), "key"],
    ["an empty balance", anError(403, "insufficient_user_quota", "用户额度不足"), "balance"],
    ["a page where JSON should be", anAnswer(200, "<!doctype html><html></html>"), "base-url"],
  ])("is in trouble with %s", async (_name, reply, trouble) => {
    expect(await asked(reply)).toMatchObject({ kind: "trouble", verdict: { trouble } });
  });

  it.each([
    ["silence", aSilence("refused"), "refused"],
    ["a 502", anError(502, "", "Bad Gateway"), "Bad Gateway"],
    ["an overload", anError(503, "system_cpu_overloaded", "busy"), "busy"],
  ])("finds nobody there in %s", async (_name, reply, message) => {
    expect(await asked(reply)).toEqual({ kind: "unavailable", message });
  });

  it("ends with the signal", async () => {
    const reason = new Error("the run ends");
    const asking = askModels(new FakeGateway(new FakeClock()), 0, AbortSignal.abort(reason));
    await expect(asking).rejects.toBe(reason);
  });
});
