import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import { askPrices, readPriceList } from "../../../src/gateway/price-list.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";

/** What one entry of a price list says, with the list's other fields. */
function priceOf(model: object, rest: object = { group_ratio: { default: 1, vip: 0.5 } }): unknown {
  const data = [{ model_name: "m", quota_type: 0, model_price: 0, ...model }];
  return readPriceList(JSON.stringify({ success: true, data, ...rest })).get("m") ?? null;
}

describe("a price list", () => {
  it("tells dollars per million tokens: two for each ratio, and the answer's by its own", () => {
    expect(priceOf({ model_ratio: 1.25, completion_ratio: 4 })).toEqual({ input: 2.5, output: 10 });
  });

  it("tells what cached tokens cost, where it knows", () => {
    const price = { model_ratio: 1, completion_ratio: 2, cache_ratio: 0.25 };
    expect(priceOf(price)).toEqual({ input: 2, output: 4, cached_input: 0.5 });
  });

  it("tells the price of a call", () => {
    expect(priceOf({ quota_type: 1, model_price: 0.01, model_ratio: 37.5 })).toEqual({
      input: 0,
      output: 0,
      request: 0.01,
    });
  });

  it.each([
    ["tokens", { model_ratio: 1, completion_ratio: 2, cache_ratio: 0.5 }, [3, 6, 1.5, undefined]],
    ["calls", { quota_type: 1, model_price: 2 }, [0, 0, undefined, 3]],
  ])("multiplies the price of %s by the ratio of the default group", (_name, model, prices) => {
    const price = priceOf(model, { group_ratio: { vip: 9, default: 1.5 } }) as {
      [name: string]: number;
    };
    expect([price["input"], price["output"], price["cached_input"], price["request"]]).toEqual(
      prices,
    );
  });

  it.each([{}, { group_ratio: {} }, { group_ratio: { vip: 9 } }, { group_ratio: [] }])(
    "takes the ratio of a group that it does not name for 1: %j",
    (rest) => {
      expect(priceOf({ model_ratio: 1, completion_ratio: 1 }, rest)).toEqual({
        input: 2,
        output: 2,
      });
    },
  );

  it.each([
    ["is priced by tiers", { model_ratio: 1, completion_ratio: 1, billing_expr: "tier(…)" }],
    ["is priced in a way nobody knows", { quota_type: 7, model_ratio: 1, completion_ratio: 1 }],
    ["has no ratio", { completion_ratio: 1 }],
    ["has no ratio for answers", { model_ratio: 1 }],
    ["has a ratio that is a text", { model_ratio: "1", completion_ratio: 1 }],
    ["has a ratio below 0", { model_ratio: -1, completion_ratio: 1 }],
    ["costs nothing by it, which may be a gap", { model_ratio: 0, completion_ratio: 1 }],
    ["costs nothing per call by it", { quota_type: 1, model_price: 0 }],
    ["has no price per call", { quota_type: 1, model_price: null }],
  ])("knows no price of a model that %s", (_name, model) => {
    expect(priceOf(model)).toBeNull();
  });

  it("leaves out what is no model and keeps the others", () => {
    const model = { model_name: "m", quota_type: 0, model_ratio: 1, completion_ratio: 1 };
    const data = [null, 7, [], { ...model, model_name: 7 }, model];
    expect([...readPriceList(JSON.stringify({ data })).keys()]).toEqual(["m"]);
  });

  it.each(["", "<!doctype html>", "null", "[]", "{}", '{"data":{}}', '{"success":false}'])(
    "is empty where the answer is %j",
    (body) => {
      expect(readPriceList(body).size).toBe(0);
    },
  );
});

describe("asking for prices", () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** The address of a gateway that answers as the test says. */
  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer).listen(0, "127.0.0.1");
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function ask(
    baseUrl: string,
    clock = new FakeClock(),
    signal?: AbortSignal,
  ): ReturnType<typeof askPrices> {
    return askPrices({ baseUrl, version: "1.2.3", clock }, signal);
  }

  const LIST = JSON.stringify({
    data: [{ model_name: "m", quota_type: 0, model_ratio: 1, completion_ratio: 1 }],
  });

  it("goes to the root of the host and not below the base URL, and takes no key along", async () => {
    const seen: unknown[] = [];
    const url = await serve(({ method, url: path, headers }, response) => {
      seen.push([method, path, headers.authorization]);
      response.end(LIST);
    });
    expect([...(await ask(`${url}/some/v1`))]).toEqual([["m", { input: 2, output: 2 }]]);
    expect(seen).toEqual([["GET", "/api/pricing", undefined]]);
  });

  it.each([
    ["404", 404],
    ["500", 500],
    ["a redirect", 302],
  ])("finds nothing where the answer is %s", async (_name, status) => {
    const url = await serve((_request, response) => {
      response.writeHead(status, { location: "/elsewhere" }).end(LIST);
    });
    expect((await ask(`${url}/v1`)).size).toBe(0);
  });

  it("finds nothing where nobody listens", async () => {
    expect((await ask("http://127.0.0.1:1/v1")).size).toBe(0);
  });

  it("waits for 3 s and no longer", async () => {
    const clock = new FakeClock();
    let arrived = (): void => {};
    const asked = new Promise<void>((resolve) => (arrived = resolve));
    const url = await serve(() => arrived());
    let size: number | null = null;
    const asking = ask(`${url}/v1`, clock).then((prices) => (size = prices.size));
    await asked;
    await clock.advance(2_999);
    expect(size).toBeNull();
    await clock.advance(1);
    await asking;
    expect([size, clock.pending]).toEqual([0, 0]);
  });

  it("ends with the signal", async () => {
    const reason = new Error("the run ends");
    const url = await serve((_request, response) => response.end(LIST));
    await expect(ask(`${url}/v1`, new FakeClock(), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
