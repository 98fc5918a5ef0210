import { describe, expect, it } from "vitest";

import type { ErrorAnswer, ErrorContext, Profile } from "../../../src/sandbox/error-answer.ts";
import { errorAnswer, errorNames } from "../../../src/sandbox/errors.ts";

const context: ErrorContext = {
  requestId: "RID",
  model: "gpt-x",
  target: "POST /v1/x",
  chinese: false,
  limit: 60,
  used: 60,
  detail: "1500",
  tryAgain: "6m0s",
};

function answer(name: string, profile: Profile = "newapi", also: Partial<ErrorContext> = {}) {
  const made: ErrorAnswer = errorAnswer(name, profile, { ...context, ...also });
  return { ...made, json: made.body.startsWith("{") ? (JSON.parse(made.body) as unknown) : null };
}

describe("new-api's errors", () => {
  it("gives every name the status that it begins with", () => {
    const wrong = errorNames().filter(
      (name) => /^\d/.test(name) && answer(name).status !== Number(name.slice(0, 3)),
    );
    expect(wrong).toEqual([]);
  });

  it("ends its own messages in the request id", () => {
    expect(answer("401").json).toEqual({
      error: { message: "Invalid token (request id: RID)", type: "new_api_error", code: "" },
    });
  });

  it("speaks Chinese when asked to", () => {
    expect(answer("401", "newapi", { chinese: true }).body).toContain("无效的令牌");
  });

  it("says that the site's key is invalid in the documented words", () => {
    expect(answer("401-site").json).toEqual({
      error: {
        message: "Invalid API key",
        type: "authentication_error",
        code: "invalid_api_key",
      },
    });
  });

  it("tells an unknown model by 503", () => {
    expect(answer("model503")).toMatchObject({
      status: 503,
      json: { error: { code: "model_not_found" } },
    });
  });

  it("can limit the rate without a word", () => {
    expect(answer("429-empty")).toMatchObject({ status: 429, body: "", headers: [] });
  });

  it("says in a relayed message how long to wait", () => {
    expect(answer("429-tokens").body).toContain("Please try again in 6m0s.");
  });

  it.each([520, 521, 522, 523, 524, 525, 530])("has Cloudflare's page for %d", (status) => {
    const made = answer(String(status));
    expect(made.headers).toContain("cf-ray");
    expect(made.body).toContain(`Error ${status}`);
  });

  it("has nginx's page for 502", () => {
    expect(answer("502").body).toContain("<title>502 Bad Gateway</title>");
  });

  it("has a body for a status of no special meaning", () => {
    expect(answer("409")).toMatchObject({
      status: 409,
      json: { error: { code: "bad_response_status_code" } },
    });
  });
});

describe("other profiles", () => {
  it("sub2api answers flat", () => {
    expect(answer("401", "sub2api").json).toEqual({
      code: "INVALID_API_KEY",
      message: "Invalid API key",
    });
  });

  it("one-api has no code with a bad key", () => {
    expect(answer("401", "oneapi").json).toEqual({
      error: { message: "无效的令牌 (request id: RID)", type: "one_api_error" },
    });
  });

  it("OpenAI tells an unknown model by 404", () => {
    expect(answer("model503", "openai").status).toBe(404);
  });

  it("fall back to new-api's words", () => {
    expect(answer("blocked", "oneapi")).toEqual(answer("blocked"));
  });
});
