import type { Problem } from "./error-body.ts";
import type { Limit, Trouble } from "./verdict.ts";

/** What an error is about. */
export type Meaning =
  | { readonly class: "retry" }
  | { readonly class: "pause-run"; readonly trouble: Trouble }
  | { readonly class: "throttled"; readonly limit: Limit }
  | { readonly class: "fail-item"; readonly code: string };

const KEY: Meaning = { class: "pause-run", trouble: "key" };
const BALANCE: Meaning = { class: "pause-run", trouble: "balance" };
const QUOTA: Meaning = { class: "pause-run", trouble: "quota" };
const MODEL: Meaning = { class: "pause-run", trouble: "model" };
const PERMISSION: Meaning = { class: "pause-run", trouble: "permission" };
const CONCURRENCY: Meaning = { class: "throttled", limit: "concurrency" };
const OVERLOAD: Meaning = { class: "throttled", limit: "overload" };
const FILTERED = failing("content_filter");
const TOO_LARGE = failing("request_too_large");

/** By the error's `code`, or where that says nothing its `type`: as new-api, one-api, sub2api and OpenAI name things. */
const BY_CODE: ReadonlyMap<string, Meaning> = new Map([
  ["invalid_api_key", KEY],
  ["INVALID_API_KEY", KEY],
  ["API_KEY_REQUIRED", KEY],
  ["API_KEY_DISABLED", KEY],
  ["API_KEY_EXPIRED", KEY],

  ["insufficient_user_quota", BALANCE],
  ["credit_balance_exhausted", BALANCE],
  ["INSUFFICIENT_BALANCE", BALANCE],
  ["SUBSCRIPTION_NOT_FOUND", BALANCE],
  ["SUBSCRIPTION_INVALID", BALANCE],
  ["SUBSCRIPTION_EXPIRED", BALANCE],

  ["insufficient_quota", QUOTA],
  ["pre_consume_token_quota_failed", QUOTA],
  ["billing_hard_limit_reached", QUOTA],
  ["organization_spend_limit_exceeded", QUOTA],
  ["project_spend_limit_exceeded", QUOTA],
  ["organization_usage_limit_exceeded", QUOTA],
  ["USAGE_LIMIT_EXCEEDED", QUOTA],

  ["model_not_found", MODEL],
  ["model_price_error", MODEL],

  ["access_denied", PERMISSION],
  ["ACCESS_DENIED", PERMISSION],
  ["USER_INACTIVE", PERMISSION],
  ["unsupported_country_region_territory", PERMISSION],

  ["slow_down", CONCURRENCY],
  ["server_is_overloaded", OVERLOAD],
  ["overloaded_error", OVERLOAD],
  ["system_cpu_overloaded", OVERLOAD],
  ["system_memory_overloaded", OVERLOAD],
  ["system_disk_overloaded", OVERLOAD],

  ...[
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "convert_request_failed",
    "count_token_failed",
    "invalid_prompt",
    "invalid_request",
    "prompt_blocked",
    "sensitive_words_detected",
    "unsupported_parameter",
    "unsupported_value",
  ].map((code) => [code, failing(code)] as const),
]);

const RATE_CODES = new Set(["rate_limit_exceeded", "rate_limit_error", "too_many_requests"]);

/** By what the message says, in this order. `only`: the statuses at which it means that. */
const BY_MESSAGE: readonly { says: RegExp; means: Meaning; only?: readonly number[] }[] = [
  { says: /额度已用尽|TokenStatusExhausted|token quota is not enough/i, means: QUOTA },
  {
    says: /额度不足|余额不足|欠费|预扣费额度失败|user quota is not enough|insufficient (?:account )?(?:balance|credit)/i,
    means: BALANCE,
  },
  { says: /insufficient quota|exceeded your current quota/i, means: QUOTA },
  {
    says: /无可用渠道|no available channel for model|无权访问模型|no access to model/i,
    means: MODEL,
  },
  {
    says: /\bmodel\b.{0,100}\b(?:does not exist|not exist|not found)\b|模型.{0,100}不存在/i,
    means: MODEL,
    only: [200, 400, 403, 404, 503],
  },
  {
    says: /封禁|has been banned|IP.{0,20}不在.{0,10}允许|无权访问.{0,40}分组|IP address.{0,40}not (?:allowed|authorized)|no access to group/i,
    means: PERMISSION,
    only: [403],
  },
  {
    says: /maximum context length|context_length_exceeded|上下文长度/i,
    means: failing("context_length_exceeded"),
  },
  { says: /sensitive_words_detected|敏感词|屏蔽词/i, means: failing("sensitive_words_detected") },
  {
    says: /content[ _](?:filter|policy|management policy)|moderation|内容审核|内容安全/i,
    means: FILTERED,
  },
  { says: /request too large/i, means: TOO_LARGE, only: [200, 429] },
  {
    says: /\bper day\b|\((?:RPD|TPD)\)|每[天日].{0,20}(?:上限|限额|额度)/i,
    means: QUOTA,
    only: [200, 429],
  },
  {
    says: /concurrency limit|too many pending requests|too many concurrent|并发/i,
    means: CONCURRENCY,
    only: [200, 429, 500, 502, 503],
  },
];

/** What an error's code, its type or else its message means; null where they leave it to the status. */
export function meaningOf(problem: Problem, status: number): Meaning | null {
  return (
    BY_CODE.get(problem.code) ??
    BY_CODE.get(problem.type) ??
    BY_MESSAGE.find(
      ({ says, only }) => (only?.includes(status) ?? true) && says.test(problem.message),
    )?.means ??
    // Last, because requests that are too large for any wait bear the same code.
    (RATE_CODES.has(problem.code) || RATE_CODES.has(problem.type)
      ? { class: "throttled", limit: limitOf(problem) }
      : null)
  );
}

/** Which limit a throttling answer speaks of. */
export function limitOf({ type, message }: Problem): Limit {
  if (type === "tokens" || /\bTPM\b|tokens per min/i.test(message)) return "tokens";
  if (type === "requests" || /\bRPM\b|requests per min|请求数限制|最多请求/i.test(message)) {
    return "requests";
  }
  return /饱和|overload|繁忙|at capacity/i.test(message) ? "overload" : "unknown";
}

function failing(code: string): Meaning {
  return { class: "fail-item", code };
}
