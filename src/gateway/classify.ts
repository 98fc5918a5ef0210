import { summarizeAnswer } from "../answer-summary.ts";
import { meaningOf, type Meaning } from "./codes.ts";
import { isHtml, problemIn, problemInText, type Problem } from "./error-body.ts";
import { failureOf, jsonOnOneLine, requestIdIn } from "./evidence.ts";
import { isRecord, parseJson, textOf } from "./json.ts";
import { redactSecrets } from "./redact.ts";
import type { Answered, Reply, Unanswered } from "./reply.ts";
import { retryAfterMs } from "./retry-after.ts";
import { meaningOfStatus } from "./status.ts";
import { toldLimits } from "./told-limits.ts";
import type { Trouble, Verdict } from "./verdict.ts";

/** What the job and the hour have to say about it. */
export interface ClassifyOptions {
  /** What becomes of an answer that `max_tokens` cut short. */
  readonly onLength: "keep" | "fail";
  /** Wall-clock milliseconds: for a `Retry-After` date in an answer without a `Date`. */
  readonly now: number;
}

/**
 * What a reply means for its item and for the run.
 *
 * The error's code decides, then its message, then the status: gateways send permanent errors as 5xx,
 * and errors inside a 200.
 */
export function classify(reply: Reply, options: ClassifyOptions): Verdict {
  if (reply.kind === "unanswered") return judgeSilence(reply);
  const parsed = parseJson(reply.body);
  return reply.status >= 200 && reply.status < 300
    ? judgeSuccess(reply, parsed, options)
    : judgeError(reply, parsed, options.now);
}

const WEB_PAGE = "a web page answered instead of the API";

const SILENCE: Readonly<
  Record<Unanswered["cause"], { readonly code: string; readonly possiblyBilled: boolean }>
> = {
  "connect-timeout": { code: "connect_timeout", possiblyBilled: false },
  refused: { code: "connection_refused", possiblyBilled: false },
  dns: { code: "dns_failure", possiblyBilled: false },
  tls: { code: "tls_error", possiblyBilled: false },
  reset: { code: "connection_reset", possiblyBilled: false },
  cut: { code: "answer_cut", possiblyBilled: true },
  timeout: { code: "timeout", possiblyBilled: true },
  "too-large": { code: "answer_too_large", possiblyBilled: true },
};

function judgeSilence({ cause, message }: Unanswered): Verdict {
  const { code, possiblyBilled } = SILENCE[cause];
  return {
    class: "retry",
    failure: { code, message: redactSecrets(message), response: null },
    possiblyBilled,
    outage: cause !== "too-large",
  };
}

function judgeSuccess(reply: Answered, parsed: unknown, options: ClassifyOptions): Verdict {
  const problem = problemIn(parsed);
  if (problem !== null) return judgeHiddenError(reply, problem, options.now);
  if (parsed === undefined && isHtml(reply.body)) return pause(reply, "base-url", WEB_PAGE);
  const finishReason = finishReasonIn(parsed);
  if (finishReason === null) return judgeNoAnswer(reply, parsed);
  if (finishReason === "content_filter") {
    return failItem(reply, "content_filter", "the gateway's filter withheld the answer");
  }
  if (finishReason === "length" && options.onLength === "fail") {
    return failItem(reply, "truncated", "the answer reached max_tokens");
  }
  return {
    class: "completed",
    summary: { ...summarizeAnswer(parsed), finishReason },
    response: {
      status: reply.status,
      requestId: requestIdIn(reply.headers),
      body: jsonOnOneLine(reply.body),
    },
  };
}

/** An error where an answer should be: the call went through, so it may have been charged. */
function judgeHiddenError(reply: Answered, problem: Problem, now: number): Verdict {
  const status = /^[45]\d\d$/.test(problem.code) ? Number(problem.code) : 500;
  const verdict = judgeProblem(reply, problem, status, now);
  return verdict.class === "retry" ? { ...verdict, possiblyBilled: true } : verdict;
}

function judgeNoAnswer(reply: Answered, parsed: unknown): Verdict {
  const [code, message] = whatIsMissing(reply.body, parsed);
  return { ...retry(reply, code, message), possiblyBilled: true };
}

function judgeError(reply: Answered, parsed: unknown, now: number): Verdict {
  if (isChallenge(reply, parsed)) {
    return pause(reply, "blocked", "a page in front of the gateway refused the call");
  }
  const problem = problemIn(parsed) ?? problemInText(reply.body);
  return judgeProblem(reply, problem, reply.status, now);
}

function judgeProblem(reply: Answered, problem: Problem, status: number, now: number): Verdict {
  const meaning = meaningOf(problem, status) ?? meaningOfStatus(status, problem, reply.body);
  if (meaning.class === "pause-run" && meaning.trouble === "base-url" && isHtml(reply.body)) {
    return pause(reply, "base-url", WEB_PAGE);
  }
  const code = ownCode(problem) ?? nameOf(meaning, reply.status);
  const message = problem.message || `HTTP ${reply.status} without a word`;
  if (meaning.class === "retry") return retry(reply, code, message);
  if (meaning.class === "fail-item") {
    // Its own code would be `rate_limit_exceeded`, and send people waiting.
    const tooLarge = meaning.code === "request_too_large";
    return failItem(reply, tooLarge ? meaning.code : code, message);
  }
  const failure = failureOf(reply, code, message);
  if (meaning.class === "pause-run") return { ...meaning, failure };
  return {
    ...meaning,
    failure,
    waitMs: retryAfterMs(reply.headers, problem.message, now),
    ...toldLimits(problem.message),
  };
}

/** A page in front of the gateway that wants to see a human. */
function isChallenge(reply: Answered, parsed: unknown): boolean {
  if (reply.headers["cf-mitigated"] === "challenge") return true;
  return reply.status === 403 && parsed === undefined && isHtml(reply.body);
}

/** The first that any choice has. `error` is none: some upstreams write it when they break off. */
function finishReasonIn(parsed: unknown): string | null {
  for (const choice of choicesIn(parsed)) {
    const reason = isRecord(choice) ? textOf(choice["finish_reason"]) : null;
    if (reason !== null && reason !== "error") return reason;
  }
  return null;
}

function choicesIn(parsed: unknown): readonly unknown[] {
  return isRecord(parsed) && Array.isArray(parsed["choices"]) ? parsed["choices"] : [];
}

function whatIsMissing(body: string, parsed: unknown): readonly [code: string, message: string] {
  if (body.trim() === "") return ["empty_answer", "the answer is empty"];
  if (parsed === undefined) {
    return ["not_json", `the answer is no JSON: ${problemInText(body).message}`];
  }
  if (choicesIn(parsed).length === 0) return ["no_choices", "the answer holds no choices"];
  return ["no_finish_reason", "the answer broke off: it has no finish_reason"];
}

const TROUBLE_CODES: Readonly<Record<Trouble, string>> = {
  key: "invalid_key",
  balance: "insufficient_balance",
  quota: "quota_exhausted",
  model: "model_unavailable",
  permission: "permission_denied",
  "base-url": "base_url",
  blocked: "blocked",
};

/** The name of an error that brought no code of its own. */
function nameOf(meaning: Meaning, status: number): string {
  if (meaning.class === "pause-run") return TROUBLE_CODES[meaning.trouble];
  if (meaning.class === "fail-item") return meaning.code;
  if (meaning.class === "throttled") {
    return meaning.limit === "overload" ? "overloaded" : "rate_limited";
  }
  return status < 300 ? "error_in_answer" : `http_${status}`;
}

/** The gateway's own name for the error, where it can serve as one. */
function ownCode({ code }: Problem): string | null {
  return /^[a-z][\w.:-]{1,63}$/i.test(code) ? code : null;
}

function pause(reply: Answered, trouble: Trouble, why: string): Verdict {
  const { message } = problemInText(reply.body);
  const failure = failureOf(
    reply,
    TROUBLE_CODES[trouble],
    message === "" ? why : `${why}: ${message}`,
  );
  return { class: "pause-run", trouble, failure };
}

function failItem(reply: Answered, code: string, message: string): Verdict {
  return { class: "fail-item", failure: failureOf(reply, code, message) };
}

function retry(
  reply: Answered,
  code: string,
  message: string,
): Extract<Verdict, { class: "retry" }> {
  return {
    class: "retry",
    failure: failureOf(reply, code, message),
    possiblyBilled: false,
    outage: reply.status >= 500,
  };
}
