import { relayed, tail } from "./error-answer.ts";
import type { ErrorAnswer, ErrorMaker, Profile } from "./error-answer.ts";

/** Where other software words an error differently from new-api. */
export const OTHER_PROFILES: Readonly<
  Record<Exclude<Profile, "newapi">, Readonly<Record<string, ErrorMaker>>>
> = {
  oneapi: {
    "401": (c) => relayed(401, { message: `无效的令牌${tail(c)}`, type: "one_api_error" }),
    "403-balance": () =>
      relayed(403, {
        message: "user quota is not enough",
        type: "one_api_error",
        param: "",
        code: "insufficient_user_quota",
      }),
    "403-model": (c) =>
      relayed(403, {
        message: `该令牌无权使用模型：${c.model}${tail(c)}`,
        type: "one_api_error",
      }),
    "429": (c) =>
      relayed(429, {
        message: `当前分组上游负载已饱和，请稍后再试${tail(c)}`,
        type: "requests",
        param: "",
        code: "rate_limit_exceeded",
      }),
    model503: (c) =>
      relayed(503, {
        message: `当前分组 default 下对于模型 ${c.model} 无可用渠道${tail(c)}`,
        type: "one_api_error",
      }),
  },
  sub2api: {
    "401": () => flat(401, "INVALID_API_KEY", "Invalid API key"),
    "403-balance": () => flat(403, "INSUFFICIENT_BALANCE", "Insufficient account balance"),
    "403-precharge": () => flat(403, "INSUFFICIENT_BALANCE", "Insufficient account balance"),
    "403": () => flat(403, "ACCESS_DENIED", "Access denied"),
    "429": () =>
      relayed(429, {
        type: "rate_limit_error",
        message: "Too many pending requests, please retry later",
      }),
    quota: () => flat(429, "USAGE_LIMIT_EXCEEDED", "Daily usage limit exceeded"),
    "500": () => relayed(502, { type: "upstream_error", message: "Upstream access forbidden" }),
    "529": () => relayed(503, { type: "overloaded_error", message: "Upstream service overloaded" }),
  },
  openai: {
    "401": () =>
      relayed(401, {
        message:
          "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        type: "invalid_request_error",
        param: null,
        code: "invalid_api_key",
      }),
    "429": (c) =>
      relayed(429, {
        message: `Rate limit reached for ${c.model} in organization org-sandbox on requests per min (RPM): Limit ${c.limit}, Used ${c.used}, Requested 1. Please try again in ${c.tryAgain}.`,
        type: "requests",
        param: null,
        code: "rate_limit_exceeded",
      }),
    "500": () =>
      relayed(500, {
        message: "The server had an error while processing your request. Sorry about that!",
        type: "server_error",
        param: null,
        code: null,
      }),
    "503": () =>
      relayed(503, {
        message: "That model is currently overloaded with other requests.",
        type: "service_unavailable_error",
        param: null,
        code: "server_is_overloaded",
      }),
    model503: (c) =>
      relayed(404, {
        message: `The model \`${c.model}\` does not exist or you do not have access to it.`,
        type: "invalid_request_error",
        param: null,
        code: "model_not_found",
      }),
  },
};

/** sub2api's own errors have no `error` object. */
function flat(status: number, code: string, message: string): ErrorAnswer {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: JSON.stringify({ code, message }),
    headers: [],
  };
}
