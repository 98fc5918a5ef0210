import { describe, expect, test } from "vitest";

import { classify } from "../../../src/gateway/classify.ts";
import type { Answered, Unanswered } from "../../../src/gateway/reply.ts";
import type { Verdict } from "../../../src/gateway/verdict.ts";

const NOW = Date.UTC(2026, 10, 23, 18, 0, 0);
const RID = " (request id: 20261123180000123456789a1b2c3d4XyZ01234)";

function judge(reply: Answered | Unanswered, onLength: "keep" | "fail" = "keep"): Verdict {
  return classify(reply, { onLength, now: NOW });
}

function answered(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answered {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { kind: "answered", status, headers, body: text, ms: 12 };
}

/** new-api's own errors. */
function A(message: string, code: string): unknown {
  return { error: { message: message + RID, type: "new_api_error", code } };
}

/** The same on paths behind the distributor. */
function B(message: string, code: string): unknown {
  return { error: { message: message + RID, type: "new_api_error", param: "", code } };
}

function E(message: string, type: string, code: string | number | null, param = ""): unknown {
  return { error: { message, type, param, code } };
}

const NGINX_502 =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>";
const NGINX_413 = NGINX_502.replaceAll("502 Bad Gateway", "413 Request Entity Too Large");
const NGINX_404 = NGINX_502.replaceAll("502 Bad Gateway", "404 Not Found");
const NGINX_301 = NGINX_502.replaceAll("502 Bad Gateway", "301 Moved Permanently");
const CLOUDFLARE_524 =
  '<!DOCTYPE html>\n<html lang="en-US"><head><title>1688token.ai | 524: A timeout occurred</title></head></html>';
const CHALLENGE =
  '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head></html>';
const SPA =
  '<!doctype html><html lang="zh"><head><title>New API</title></head><body><div id="root"></div></body></html>';
const TPM_MESSAGE =
  "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 199000, Requested 1500. Please try again in 150ms. Visit https://***.com/***/*** to learn more.";
const TOO_LARGE_MESSAGE =
  "Request too large for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Requested 250000. The input or output tokens must be reduced in order to run successfully.";

function completion(choice: Readonly<Record<string, unknown>>): unknown {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_795_000_000,
    model: "gpt-4o-mini",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "positive", refusal: null },
        logprobs: null,
        finish_reason: "stop",
        ...choice,
      },
    ],
    usage: { prompt_tokens: 20, completion_tokens: 1, total_tokens: 21 },
  };
}

/** A verdict in one line, for the table: what decides what happens next, and the name it goes by. */
function brief(verdict: Verdict): string {
  switch (verdict.class) {
    case "completed":
      return `completed ${verdict.summary.finishReason}`;
    case "retry": {
      const flags = `${verdict.possiblyBilled ? " billed" : ""}${verdict.outage ? " outage" : ""}`;
      return `retry ${verdict.failure.code}${flags}`;
    }
    case "throttled":
      return `throttled ${verdict.failure.code} ${verdict.limit} ${verdict.waitMs}`;
    case "fail-item":
      return `fail-item ${verdict.failure.code}`;
    case "pause-run":
      return `pause-run ${verdict.failure.code} ${verdict.trouble}`;
    default:
      return verdict satisfies never;
  }
}

type Row = [
  name: string,
  status: number,
  body: unknown,
  expected: string,
  headers?: Readonly<Record<string, string>>,
];

const KEY: readonly Row[] = [
  ["1 unknown key", 401, A("Invalid token", ""), "pause-run invalid_key key"],
  ["1 unknown key, Chinese", 401, A("无效的令牌", ""), "pause-run invalid_key key"],
  ["1 older: expired", 401, E("该令牌已过期", "one_api_error", null), "pause-run invalid_key key"],
  ["1 older: no key", 401, E("未提供令牌", "one_api_error", null), "pause-run invalid_key key"],
  [
    "1 older: key's quota used up",
    401,
    E("该令牌额度已用尽 TokenStatusExhausted[sk-abc***xyz]", "one_api_error", null),
    "pause-run quota_exhausted quota",
  ],
  [
    "2 as the site documents it",
    401,
    {
      error: { message: "Invalid API key", type: "authentication_error", code: "invalid_api_key" },
    },
    "pause-run invalid_api_key key",
  ],
  ["401 without a body", 401, "", "pause-run invalid_key key"],
  [
    "23 sub2api: wrong key",
    401,
    { code: "INVALID_API_KEY", message: "Invalid API key" },
    "pause-run INVALID_API_KEY key",
  ],
  [
    "23 sub2api: no key",
    401,
    { code: "API_KEY_REQUIRED", message: "API key is required" },
    "pause-run API_KEY_REQUIRED key",
  ],
  [
    "23 sub2api: key disabled",
    401,
    { code: "API_KEY_DISABLED", message: "API key is disabled" },
    "pause-run API_KEY_DISABLED key",
  ],
];

const PERMISSION: readonly Row[] = [
  ["3 banned, Chinese", 403, A("用户已被封禁", ""), "pause-run permission_denied permission"],
  ["3 banned", 403, A("User has been banned", ""), "pause-run permission_denied permission"],
  [
    "3 IP not allowed",
    403,
    A("您的 IP 不在令牌允许访问的列表中", "access_denied"),
    "pause-run access_denied permission",
  ],
  [
    "3 no access to the group",
    403,
    A("无权访问 vip 分组", ""),
    "pause-run permission_denied permission",
  ],
  [
    "23 sub2api: user inactive",
    401,
    { code: "USER_INACTIVE", message: "User account is not active" },
    "pause-run USER_INACTIVE permission",
  ],
  [
    "23 sub2api: access denied",
    403,
    { code: "ACCESS_DENIED", message: "Access denied" },
    "pause-run ACCESS_DENIED permission",
  ],
  [
    "OpenAI: region",
    403,
    E(
      "Country, region, or territory not supported",
      "request_forbidden",
      "unsupported_country_region_territory",
    ),
    "pause-run unsupported_country_region_territory permission",
  ],
];

const BALANCE: readonly Row[] = [
  [
    "5 balance used up",
    403,
    B("用户额度不足, 剩余额度: ＄0.000000", "insufficient_user_quota"),
    "pause-run insufficient_user_quota balance",
  ],
  [
    "5 less than the pre-charge",
    403,
    B(
      "预扣费额度失败, 用户剩余额度: ＄0.000100, 需要预扣费额度: ＄0.002000",
      "insufficient_user_quota",
    ),
    "pause-run insufficient_user_quota balance",
  ],
  [
    "5 one-api",
    403,
    E("user quota is not enough", "one_api_error", null),
    "pause-run insufficient_balance balance",
  ],
  [
    "5 relayed as a 500",
    500,
    E("用户额度不足", "upstream_error", null),
    "pause-run insufficient_balance balance",
  ],
  [
    "6 key's quota below the pre-charge",
    403,
    B(
      "token quota is not enough, token remain quota: ＄0.01, need quota: ＄0.02",
      "pre_consume_token_quota_failed",
    ),
    "pause-run pre_consume_token_quota_failed quota",
  ],
  [
    "402",
    402,
    {
      error: {
        message: "Insufficient Balance",
        type: "unknown_error",
        code: "invalid_request_error",
      },
    },
    "pause-run invalid_request_error balance",
  ],
  ["402 without a body", 402, "", "pause-run insufficient_balance balance"],
  [
    "23 sub2api: balance",
    403,
    { code: "INSUFFICIENT_BALANCE", message: "Insufficient account balance" },
    "pause-run INSUFFICIENT_BALANCE balance",
  ],
  [
    "23 sub2api: subscription",
    403,
    { code: "SUBSCRIPTION_NOT_FOUND", message: "No active subscription found for this group" },
    "pause-run SUBSCRIPTION_NOT_FOUND balance",
  ],
  [
    "23 sub2api: usage limit",
    429,
    { code: "USAGE_LIMIT_EXCEEDED", message: "daily usage limit exceeded" },
    "pause-run USAGE_LIMIT_EXCEEDED quota",
  ],
  [
    "429 quota, the old code",
    429,
    E(
      "You exceeded your current quota, please check your plan and billing details.",
      "insufficient_quota",
      "insufficient_quota",
    ),
    "pause-run insufficient_quota quota",
  ],
  [
    "429 quota under a code not known yet",
    429,
    E("Your limit is reached", "insufficient_quota", "team_spend_limit_exceeded"),
    "pause-run team_spend_limit_exceeded quota",
  ],
  [
    "429 credit",
    429,
    E("Your credit balance is exhausted", "insufficient_quota", "credit_balance_exhausted"),
    "pause-run credit_balance_exhausted balance",
  ],
  [
    "429 organization's spend limit",
    429,
    E("Spend limit", "insufficient_quota", "organization_spend_limit_exceeded"),
    "pause-run organization_spend_limit_exceeded quota",
  ],
  [
    "429 project's spend limit",
    429,
    E("Spend limit", "insufficient_quota", "project_spend_limit_exceeded"),
    "pause-run project_spend_limit_exceeded quota",
  ],
  [
    "429 organization's usage limit",
    429,
    E("Usage limit", "insufficient_quota", "organization_usage_limit_exceeded"),
    "pause-run organization_usage_limit_exceeded quota",
  ],
  [
    "11 saturated, but for want of quota",
    429,
    E("当前分组上游负载已饱和，请稍后再试" + RID, "insufficient_quota", "insufficient_quota"),
    "pause-run insufficient_quota quota",
  ],
  [
    "429 requests per day",
    429,
    E(
      "Rate limit reached for gpt-4o on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.",
      "requests",
      "rate_limit_exceeded",
    ),
    "pause-run rate_limit_exceeded quota",
  ],
];

const MODEL: readonly Row[] = [
  [
    "4 model not allowed for the key",
    403,
    A("This token has no access to model gpt-x", ""),
    "pause-run model_unavailable model",
  ],
  [
    "4 model not allowed, Chinese",
    403,
    A("该令牌无权访问模型 gpt-x", ""),
    "pause-run model_unavailable model",
  ],
  [
    "7 no channel",
    503,
    A("No available channel for model gpt-x under group default (distributor)", "model_not_found"),
    "pause-run model_not_found model",
  ],
  [
    "7 no channel, one-api",
    503,
    E("当前分组 default 下对于模型 gpt-x 无可用渠道", "one_api_error", null),
    "pause-run model_unavailable model",
  ],
  [
    "19 model without a price",
    400,
    B("模型 gpt-x 的价格尚未由管理员配置", "model_price_error"),
    "pause-run model_price_error model",
  ],
  [
    "OpenAI: unknown model",
    404,
    E(
      "The model `gpt-x` does not exist or you do not have access to it.",
      "invalid_request_error",
      "model_not_found",
    ),
    "pause-run model_not_found model",
  ],
  [
    "unknown model, told in words only",
    400,
    E("Model Not Exist", "invalid_request_error", "invalid_request_error"),
    "pause-run invalid_request_error model",
  ],
  [
    "unknown model inside a 200",
    200,
    E("The model 'x' does not exist", "invalid_request_error", "model_not_found", "model"),
    "pause-run model_not_found model",
  ],
];

const BASE_URL: readonly Row[] = [
  ["200 with the site's page", 200, SPA, "pause-run base_url base-url"],
  [
    "404 Invalid URL",
    404,
    E("Invalid URL (POST /v1/v1/chat/completions)", "invalid_request_error", ""),
    "pause-run base_url base-url",
  ],
  ["404 page", 404, NGINX_404, "pause-run base_url base-url"],
  ["404 of a web framework", 404, { detail: "Not Found" }, "pause-run base_url base-url"],
  ["404 of Go's router", 404, "404 page not found", "pause-run base_url base-url"],
  ["405", 405, "", "pause-run base_url base-url"],
  [
    "501",
    501,
    B("API not implemented", "api_not_implemented"),
    "pause-run api_not_implemented base-url",
  ],
  [
    "301",
    301,
    NGINX_301,
    "pause-run base_url base-url",
    { location: "https://elsewhere.example/" },
  ],
  ["307", 307, "", "pause-run base_url base-url", { location: "https://elsewhere.example/" }],
];

const BLOCKED: readonly Row[] = [
  ["27 challenge", 403, CHALLENGE, "pause-run blocked blocked", { "cf-mitigated": "challenge" }],
  [
    "27 challenge as a 503",
    503,
    CHALLENGE,
    "pause-run blocked blocked",
    { "cf-mitigated": "challenge" },
  ],
  [
    "403 page",
    403,
    NGINX_502.replaceAll("502 Bad Gateway", "403 Forbidden"),
    "pause-run blocked blocked",
  ],
];

const THROTTLED: readonly Row[] = [
  [
    "9 own limit",
    429,
    A("您已达到请求数限制：1分钟内最多请求60次", ""),
    "throttled rate_limited requests null",
  ],
  [
    "9 own limit, no body",
    429,
    "",
    "throttled rate_limited unknown null",
    { "content-length": "0" },
  ],
  [
    "10 TPM",
    429,
    E(TPM_MESSAGE, "tokens", "rate_limit_exceeded"),
    "throttled rate_limit_exceeded tokens 150",
  ],
  [
    "10 RPM",
    429,
    E(
      "Rate limit reached for gpt-4o on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.",
      "requests",
      "rate_limit_exceeded",
    ),
    "throttled rate_limit_exceeded requests 20000",
  ],
  [
    "10 TPM relayed as a 500",
    500,
    E(TPM_MESSAGE, "tokens", "rate_limit_exceeded"),
    "throttled rate_limit_exceeded tokens 150",
  ],
  [
    "11 saturated",
    429,
    E("当前分组上游负载已饱和，请稍后再试" + RID, "requests", "rate_limit_exceeded"),
    "throttled rate_limit_exceeded requests null",
  ],
  [
    "11 saturated, upstream_error",
    429,
    E("当前分组上游负载已饱和，请稍后再试" + RID, "upstream_error", null, "404"),
    "throttled overloaded overload null",
  ],
  [
    "20 CPU",
    503,
    E(
      "system cpu overloaded (current: 95.0%, threshold: 90%)",
      "new_api_error",
      "system_cpu_overloaded",
    ),
    "throttled system_cpu_overloaded overload null",
  ],
  [
    "20 memory",
    503,
    E("system memory overloaded", "new_api_error", "system_memory_overloaded"),
    "throttled system_memory_overloaded overload null",
  ],
  [
    "20 disk",
    503,
    E("system disk overloaded", "new_api_error", "system_disk_overloaded"),
    "throttled system_disk_overloaded overload null",
  ],
  [
    "24 sub2api: concurrency",
    429,
    {
      error: {
        type: "rate_limit_error",
        message: "Concurrency limit exceeded for user, please retry later",
      },
    },
    "throttled rate_limited concurrency null",
  ],
  [
    "24 sub2api: pending",
    429,
    {
      error: {
        type: "rate_limit_error",
        message: "Too many pending requests, please retry later",
      },
    },
    "throttled rate_limited concurrency null",
  ],
  [
    "27 Cloudflare 1015",
    429,
    CHALLENGE.replace(
      "Just a moment...",
      "Access denied | 1688token.ai used Cloudflare to restrict access",
    ),
    "throttled rate_limited unknown 30000",
    { "retry-after": "30", server: "cloudflare" },
  ],
  [
    "slow_down",
    429,
    E("Slow down", "rate_limit_error", "slow_down"),
    "throttled slow_down concurrency null",
  ],
  [
    "server_is_overloaded",
    503,
    E("The server is overloaded", "server_error", "server_is_overloaded"),
    "throttled server_is_overloaded overload null",
  ],
  [
    "503 of nginx",
    503,
    NGINX_502.replaceAll("502 Bad Gateway", "503 Service Temporarily Unavailable"),
    "throttled overloaded overload null",
  ],
  ["503 with Retry-After", 503, "", "throttled overloaded overload 2000", { "retry-after": "2" }],
  [
    "529",
    529,
    { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
    "throttled overloaded overload null",
  ],
  [
    "a rate limit inside a 200",
    200,
    E("Rate limit reached", "requests", "rate_limit_exceeded"),
    "throttled rate_limit_exceeded requests null",
  ],
  [
    "a 429 inside a 200",
    200,
    { error: { code: 429, message: "Provider returned error" } },
    "throttled rate_limited unknown null",
  ],
];

const FAIL_ITEM: readonly Row[] = [
  [
    "15 malformed JSON",
    400,
    A("Invalid request: Invalid request: invalid character '}' looking for beginning of value", ""),
    "fail-item http_400",
  ],
  [
    "16 no model",
    400,
    A("Model name not specified, model name cannot be empty", ""),
    "fail-item http_400",
  ],
  [
    "16 no messages, as a 500",
    500,
    B("field messages is required", "invalid_request"),
    "fail-item invalid_request",
  ],
  [
    "17 blocked words, as a 500",
    500,
    B("sensitive_words_detected", "sensitive_words_detected"),
    "fail-item sensitive_words_detected",
  ],
  [
    "17 blocked words without a code",
    500,
    E("用户输入包含敏感词", "one_api_error", null),
    "fail-item sensitive_words_detected",
  ],
  [
    "18 body too large",
    400,
    A("Invalid request: Invalid request: request body exceeds 128 MB: request body too large", ""),
    "fail-item http_400",
  ],
  [
    "18 body too large, 413",
    413,
    B("request body too large", "read_request_body_failed"),
    "fail-item request_too_large",
  ],
  ["25 body too large, nginx", 413, NGINX_413, "fail-item request_too_large"],
  [
    "22 context length",
    400,
    E(
      "This model's maximum context length is 128000 tokens.",
      "invalid_request_error",
      "context_length_exceeded",
      "messages",
    ),
    "fail-item context_length_exceeded",
  ],
  [
    "22 content filter (Azure)",
    400,
    E(
      "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
      "invalid_request_error",
      "content_filter",
      "prompt",
    ),
    "fail-item content_filter",
  ],
  [
    "22 invalid prompt",
    400,
    E("Invalid prompt", "invalid_request_error", "invalid_prompt"),
    "fail-item invalid_prompt",
  ],
  [
    "22 unsupported parameter",
    400,
    E("Unsupported parameter: 'max_tokens'", "invalid_request_error", "unsupported_parameter"),
    "fail-item unsupported_parameter",
  ],
  [
    "convert_request_failed",
    500,
    B("convert request failed", "convert_request_failed"),
    "fail-item convert_request_failed",
  ],
  [
    "count_token_failed",
    500,
    B("count token failed", "count_token_failed"),
    "fail-item count_token_failed",
  ],
  ["prompt_blocked", 500, B("prompt blocked", "prompt_blocked"), "fail-item prompt_blocked"],
  [
    "429 that no waiting helps",
    429,
    E(TOO_LARGE_MESSAGE, "tokens", "rate_limit_exceeded"),
    "fail-item request_too_large",
  ],
  [
    "403 moderation",
    403,
    E("Content blocked by moderation", "upstream_error", null),
    "fail-item content_filter",
  ],
  ["403 anything else", 403, E("Forbidden", "upstream_error", null), "fail-item http_403"],
  [
    "404 anything else",
    404,
    E("No such conversation", "invalid_request_error", null),
    "fail-item http_404",
  ],
  [
    "422",
    422,
    { detail: [{ loc: ["body", "n"], msg: "value is not an integer" }] },
    "fail-item http_422",
  ],
  ["4xx nobody knows", 418, "", "fail-item http_418"],
];

const RETRY: readonly Row[] = [
  ["408", 408, "", "retry http_408"],
  ["409", 409, "", "retry http_409"],
  ["425", 425, "", "retry http_425"],
  [
    "8 no channel left while retrying",
    500,
    B("分组 default 下模型 gpt-x 的可用渠道不存在（retry）", "get_channel_failed"),
    "retry get_channel_failed outage",
  ],
  [
    "12 upstream's page, 502",
    502,
    E("openai_error", "bad_response_status_code", "bad_response_status_code"),
    "retry bad_response_status_code outage",
  ],
  [
    "12 upstream's page, 524, older",
    524,
    E("bad response status code 524", "upstream_error", null, "524"),
    "retry http_524 outage",
  ],
  [
    "13 upstream unreachable",
    500,
    B("upstream error: do request failed", "do_request_failed"),
    "retry do_request_failed outage",
  ],
  ["13 older", 500, E("请求上游地址失败", "one_api_error", null), "retry http_500 outage"],
  [
    "14 upstream's 200 was no JSON",
    500,
    E(
      "invalid character '<' looking for beginning of value",
      "bad_response_body",
      "bad_response_body",
    ),
    "retry bad_response_body outage",
  ],
  [
    "21 database",
    500,
    A("Database error, please contact the administrator", ""),
    "retry http_500 outage",
  ],
  [
    "21 panic",
    500,
    E("Panic detected, error: nil", "new_api_panic", null),
    "retry http_500 outage",
  ],
  [
    "24 sub2api: upstream's key is dead",
    502,
    { error: { type: "upstream_error", message: "Upstream authentication failed" } },
    "retry http_502 outage",
  ],
  [
    "read_response_body_failed",
    500,
    B("EOF", "read_response_body_failed"),
    "retry read_response_body_failed outage",
  ],
  ["empty_response", 500, B("empty response", "empty_response"), "retry empty_response outage"],
  ["25 nginx 502", 502, NGINX_502, "retry http_502 outage"],
  [
    "25 nginx 504",
    504,
    NGINX_502.replaceAll("502 Bad Gateway", "504 Gateway Time-out"),
    "retry http_504 outage",
  ],
  ...[520, 521, 522, 523, 525, 526, 527, 530].map((status): Row => [
    `26 Cloudflare ${status}`,
    status,
    "",
    `retry http_${status} outage`,
  ]),
  ["26 Cloudflare 524", 524, CLOUDFLARE_524, "retry http_524 outage"],
  ["200 that is no JSON", 200, "upstream connect error", "retry not_json billed"],
  ["200 cut by a proxy", 200, '{"id":"chatcmpl-1","choices":[{"ind', "retry not_json billed"],
  ["200 without a body", 200, "", "retry empty_answer billed"],
  ["200 without choices", 200, { id: "x", usage: {} }, "retry no_choices billed"],
  ["200 with choices []", 200, { id: "", choices: [] }, "retry no_choices billed"],
  [
    "200 with finish_reason null",
    200,
    completion({ finish_reason: null }),
    "retry no_finish_reason billed",
  ],
  [
    "200 with finish_reason error",
    200,
    completion({ finish_reason: "error" }),
    "retry no_finish_reason billed",
  ],
  [
    "200 with an error object",
    200,
    E("upstream broke", "server_error", null),
    "retry error_in_answer billed",
  ],
  [
    "200 with an error object and a code",
    200,
    E("openai_error", "bad_response_status_code", "bad_response_status_code"),
    "retry bad_response_status_code billed",
  ],
  ["200 with an error text", 200, { error: "upstream broke" }, "retry error_in_answer billed"],
  [
    "200 with success false",
    200,
    { success: false, message: "系统繁忙" },
    "retry error_in_answer billed",
  ],
  ["200 with an empty error object", 200, { type: "error", error: {} }, "retry no_choices billed"],
];

const COMPLETED: readonly Row[] = [
  ["a plain answer", 200, completion({}), "completed stop"],
  [
    "an answer without usage",
    200,
    { choices: [{ message: {}, finish_reason: "stop" }] },
    "completed stop",
  ],
  ["tool calls", 200, completion({ finish_reason: "tool_calls" }), "completed tool_calls"],
  ["cut short by max_tokens", 200, completion({ finish_reason: "length" }), "completed length"],
  [
    "a refusal",
    200,
    completion({
      message: { role: "assistant", content: null, refusal: "I can't help with that." },
    }),
    "completed stop",
  ],
  [
    "an empty content",
    200,
    completion({ message: { role: "assistant", content: "" } }),
    "completed stop",
  ],
  [
    "error: null beside the choices",
    200,
    { error: null, ...(completion({}) as object) },
    "completed stop",
  ],
  [
    "error: {} beside the choices",
    200,
    { error: {}, ...(completion({}) as object) },
    "completed stop",
  ],
];

describe.each<[string, readonly Row[]]>([
  ["the key", KEY],
  ["what the account may do", PERMISSION],
  ["balance and quota", BALANCE],
  ["the model", MODEL],
  ["the base URL", BASE_URL],
  ["a page that blocks us", BLOCKED],
  ["limits and overload", THROTTLED],
  ["what only this item can be blamed for", FAIL_ITEM],
  ["what may pass", RETRY],
  ["answers", COMPLETED],
])("%s", (_, rows) => {
  test.each(rows)("%s: %i", (_name, status, body, expected, headers) => {
    expect(brief(judge(answered(status, body, headers)))).toBe(expected);
  });
});

test.each<[Unanswered["cause"], string]>([
  ["connect-timeout", "retry connect_timeout outage"],
  ["refused", "retry connection_refused outage"],
  ["dns", "retry dns_failure outage"],
  ["tls", "retry tls_error outage"],
  ["reset", "retry connection_reset outage"],
  ["cut", "retry answer_cut billed outage"],
  ["timeout", "retry timeout billed outage"],
  ["too-large", "retry answer_too_large billed"],
])("no answer: %s", (cause, expected) => {
  expect(brief(judge({ kind: "unanswered", cause, message: "broke", ms: 5 }))).toBe(expected);
});

describe("finish_reason", () => {
  test("`length` fails the item where the job wants whole answers", () => {
    const reply = answered(200, completion({ finish_reason: "length" }));
    expect(brief(judge(reply, "fail"))).toBe("fail-item truncated");
  });

  test("`content_filter` fails the item", () => {
    const reply = answered(200, completion({ finish_reason: "content_filter" }));
    expect(brief(judge(reply))).toBe("fail-item content_filter");
  });

  test("one choice that has it is enough", () => {
    const choices = [
      { index: 0, finish_reason: null },
      { index: 1, finish_reason: "stop" },
    ];
    expect(brief(judge(answered(200, { choices })))).toBe("completed stop");
  });
});

describe("throttling", () => {
  test("the rate that new-api's own limiter names is read", () => {
    const verdict = judge(answered(429, A("您已达到请求数限制：5分钟内最多请求60次", "")));
    expect(verdict).toMatchObject({ requestsPerMinute: 12, tokensPerMinute: null });
  });

  test("the rate that a relayed token limit names is read", () => {
    const message =
      "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 199000, Requested 1500. Please try again in 150ms.";
    const error = { message, type: "tokens", param: "", code: "rate_limit_exceeded" };
    const verdict = judge(answered(429, { error }));
    expect(verdict).toMatchObject({ tokensPerMinute: 200_000, limit: "tokens", waitMs: 150 });
  });

  test("a Retry-After date is read against the answer's own Date", () => {
    const headers = {
      date: "Mon, 23 Nov 2026 10:00:00 GMT",
      "retry-after": "Mon, 23 Nov 2026 10:00:45 GMT",
    };
    expect(judge(answered(429, "", headers))).toMatchObject({ waitMs: 45_000 });
  });
});

describe("what is kept of the answer", () => {
  function bodyOf(reply: Answered): string | undefined {
    const verdict = judge(reply);
    return verdict.class === "completed" ? verdict.response.body : verdict.failure.response?.body;
  }

  test("a completed body is passed on as it came", () => {
    const body = '{"choices":[{"finish_reason":"stop"}], "big": 12345678901234567890 }';
    expect(bodyOf(answered(200, body))).toBe(body);
  });

  test("line breaks between tokens go, and nothing else changes", () => {
    const body =
      '{\r\n  "choices": [{"finish_reason": "stop", "text": "a\\nb"}],\n  "big": 12345678901234567890\n}\n';
    expect(bodyOf(answered(200, body))).toBe(
      '{  "choices": [{"finish_reason": "stop", "text": "a\\nb"}],  "big": 12345678901234567890}',
    );
  });

  test("a page becomes a JSON string", () => {
    expect(JSON.parse(bodyOf(answered(502, NGINX_502)) ?? "")).toBe(NGINX_502);
  });

  test("a long text is cut to 2000 characters", () => {
    expect(JSON.parse(bodyOf(answered(502, "x".repeat(9000))) ?? "")).toHaveLength(2000);
  });

  test("keys are masked in the body and in the message", () => {
    const verdict = judge(
      answered(401, E("Incorrect API key provided: sk-proj-Ab12Cd34Ef56", "x", "invalid_api_key")),
    );
    expect(JSON.stringify(verdict)).not.toContain("Ab12");
  });

  test("nothing is kept where nothing came", () => {
    const verdict = judge({ kind: "unanswered", cause: "reset", message: "reset", ms: 1 });
    expect(verdict).toMatchObject({ failure: { response: null } });
  });

  test.each([
    [{ "x-oneapi-request-id": "one", "x-request-id": "two", "cf-ray": "three" }, "one"],
    [{ "x-request-id": "two", "cf-ray": "three" }, "two"],
    [{ "apim-request-id": "azure" }, "azure"],
    [{ "cf-ray": "three" }, "three"],
    [{}, null],
  ])("the gateway's name for the call is taken from %o", (headers, requestId) => {
    expect(judge(answered(200, completion({}), headers))).toMatchObject({
      response: { requestId },
    });
  });
});

describe("the message of a failure", () => {
  function messageOf(reply: Answered): string {
    const verdict = judge(reply);
    return verdict.class === "completed" ? "" : verdict.failure.message;
  }

  test.each<[string, unknown, string]>([
    ["an error object", E("upstream broke", "x", null), "upstream broke"],
    ["an error text", { error: "upstream broke" }, "upstream broke"],
    ["flat fields", { code: "X", message: "upstream broke" }, "upstream broke"],
    ["msg", { msg: "upstream broke" }, "upstream broke"],
    ["detail", { detail: "upstream broke" }, "upstream broke"],
    ["error_msg", { error_msg: "upstream broke" }, "upstream broke"],
    ["a list of one", [{ error: { message: "upstream broke" } }], "upstream broke"],
    ["a page's title", NGINX_502, "502 Bad Gateway"],
    ["a text", "upstream\r\nbroke", "upstream broke"],
    ["silence", "", "HTTP 500 without a word"],
  ])("is taken from %s", (_, body, expected) => {
    expect(messageOf(answered(500, body))).toBe(expected);
  });

  test.each([200, 404, 405, 501])("says of a page (%s) that it is no API", (status) => {
    expect(messageOf(answered(status, SPA))).toBe(
      "a web page answered instead of the API: New API",
    );
  });

  test("is kept short", () => {
    expect(messageOf(answered(500, "x".repeat(9000)))).toHaveLength(501);
  });
});
