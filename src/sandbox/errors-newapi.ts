import { relayed, tail } from "./error-answer.ts";
import type { ErrorAnswer, ErrorContext, ErrorMaker } from "./error-answer.ts";
import { cloudflareBlockPage, nginxPage } from "./pages.ts";

// The bodies of new-api (read in its source), and of what may stand in front of it.

/** Every error by name. A name begins with its status unless the cause says more than the status. */
export const NEWAPI_ERRORS: Readonly<Record<string, ErrorMaker>> = {
  "400": () =>
    relayed(400, {
      message: "Invalid value for 'temperature': must be at most 2.",
      type: "invalid_request_error",
      param: "temperature",
      code: "invalid_value",
    }),
  "400-json": (c) => own(400, c, `Invalid request: Invalid request: ${c.detail}`, ""),
  "400-model": (c) => own(400, c, "Model name not specified, model name cannot be empty", ""),
  "400-filter": () =>
    relayed(400, {
      message:
        "The response was filtered due to the prompt triggering the content management policy.",
      type: "invalid_request_error",
      param: "prompt",
      code: "content_filter",
    }),
  context: () =>
    relayed(400, {
      message:
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.",
      type: "invalid_request_error",
      param: "messages",
      code: "context_length_exceeded",
    }),
  "401": (c) => own(401, c, c.chinese ? "无效的令牌" : "Invalid token", ""),
  "401-site": () =>
    relayed(401, {
      message: "Invalid API key",
      type: "authentication_error",
      code: "invalid_api_key",
    }),
  "402": () =>
    relayed(402, {
      message: "Insufficient Balance",
      type: "unknown_error",
      param: null,
      code: "invalid_request_error",
    }),
  "403": (c) => own(403, c, c.chinese ? "用户已被封禁" : "User has been banned", ""),
  "403-channel": (c) => own(403, c, "普通用户不支持指定渠道", ""),
  "403-balance": (c) =>
    ownWithParam(403, c, "用户额度不足, 剩余额度: ＄0.000000", "insufficient_user_quota"),
  "403-precharge": (c) =>
    ownWithParam(
      403,
      c,
      `预扣费额度失败, 用户剩余额度: ＄${c.limit.toFixed(6)}, 需要预扣费额度: ＄${c.detail}`,
      "insufficient_user_quota",
    ),
  "403-key-quota": (c) =>
    ownWithParam(
      403,
      c,
      "token quota is not enough, token remain quota: ＄0.01, need quota: ＄0.02",
      "pre_consume_token_quota_failed",
    ),
  "403-model": (c) =>
    own(
      403,
      c,
      c.chinese ? `该令牌无权访问模型 ${c.model}` : `This token has no access to model ${c.model}`,
      "",
    ),
  "403-challenge": () => ({
    status: 403,
    contentType: HTML,
    body: cloudflareBlockPage("Just a moment..."),
    headers: [...CLOUDFLARE, "cf-mitigated", "challenge"],
  }),
  "404": (c) =>
    relayed(404, {
      message: `Invalid URL (${c.target})`,
      type: "invalid_request_error",
      param: "",
      code: "",
    }),
  "413": (c) =>
    ownWithParam(
      413,
      c,
      "request body exceeds 128 MB: request body too large",
      "read_request_body_failed",
    ),
  "413-nginx": () => nginx(413),
  "429": (c) => own(429, c, `您已达到请求数限制：1分钟内最多请求${c.limit}次`, ""),
  "429-empty": () => ({ status: 429, contentType: "", body: "", headers: [] }),
  "429-html": () => ({
    status: 429,
    contentType: HTML,
    body: cloudflareBlockPage("Access denied | sandbox used Cloudflare to restrict access"),
    headers: [...CLOUDFLARE, "Retry-After", "30"],
  }),
  "429-tokens": (c) =>
    relayed(429, {
      message: `Rate limit reached for ${c.model} in organization org-sandbox on tokens per min (TPM): Limit ${c.limit}, Used ${c.used}, Requested ${c.detail}. Please try again in ${c.tryAgain}. Visit https://***.com/***/*** to learn more.`,
      type: "tokens",
      param: "",
      code: "rate_limit_exceeded",
    }),
  "429-too-large": (c) =>
    relayed(429, {
      message: `Request too large for ${c.model} in organization org-sandbox on tokens per min (TPM): Limit ${c.limit}, Requested ${c.detail}. The input or output tokens must be reduced in order to run successfully.`,
      type: "tokens",
      param: "",
      code: "rate_limit_exceeded",
    }),
  "429-saturated": (c) =>
    relayed(429, {
      message: `当前分组上游负载已饱和，请稍后再试${tail(c)}`,
      type: "requests",
      param: "",
      code: "rate_limit_exceeded",
    }),
  "429-concurrency": () =>
    relayed(429, {
      type: "rate_limit_error",
      message: "Concurrency limit exceeded for user, please retry later",
    }),
  quota: () =>
    relayed(429, {
      message: "You exceeded your current quota, please check your plan and billing details.",
      type: "insufficient_quota",
      param: "",
      code: "insufficient_quota",
    }),
  "500": (c) => ownWithParam(500, c, "upstream error: do request failed", "do_request_failed"),
  "500-channel": (c) =>
    ownWithParam(
      500,
      c,
      `分组 default 下模型 ${c.model} 的可用渠道不存在（retry）`,
      "get_channel_failed",
    ),
  "500-messages": (c) => ownWithParam(500, c, "field messages is required", "invalid_request"),
  "500-body": () =>
    relayed(500, {
      message: "invalid character '<' looking for beginning of value",
      type: "bad_response_body",
      param: "",
      code: "bad_response_body",
    }),
  blocked: (c) => ownWithParam(500, c, "sensitive_words_detected", "sensitive_words_detected"),
  "502": () => nginx(502),
  "503": () =>
    relayed(503, {
      message: "system cpu overloaded (current: 95.0%, threshold: 90%)",
      type: "new_api_error",
      param: "",
      code: "system_cpu_overloaded",
    }),
  model503: (c) =>
    own(
      503,
      c,
      `No available channel for model ${c.model} under group default (distributor)`,
      "model_not_found",
    ),
  "504": () => nginx(504),
  "529": () => relayed(529, { type: "overloaded_error", message: "Overloaded" }),
};

const HTML = "text/html; charset=UTF-8";
const CLOUDFLARE = ["server", "cloudflare", "cf-ray", "8f2a5d0b0c4e1a2b-HKG"];

function own(status: number, context: ErrorContext, message: string, code: string): ErrorAnswer {
  return relayed(status, { message: message + tail(context), type: "new_api_error", code });
}

function ownWithParam(
  status: number,
  context: ErrorContext,
  message: string,
  code: string,
): ErrorAnswer {
  const type = "new_api_error";
  return relayed(status, { message: message + tail(context), type, param: "", code });
}

function nginx(status: number): ErrorAnswer {
  return {
    status,
    contentType: "text/html",
    body: nginxPage(status),
    headers: ["server", "nginx"],
  };
}
