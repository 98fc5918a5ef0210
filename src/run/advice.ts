import { shellWord } from "../shell-word.ts";

/** The command that asks the failed items with one cause again. */
export function retryCommand(
  directory: string,
  code: string,
  params: Readonly<Record<string, unknown>>,
): string {
  const command = `nightshift retry ${shellWord(directory)} --where code=${shellWord(code)}`;
  return code === "truncated" ? `${command} --param ${longerAnswers(params)}` : command;
}

/** Twice the room for an answer; where the job names none, whoever types it must say how much. */
function longerAnswers(params: Readonly<Record<string, unknown>>): string {
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    const most = params[name];
    if (typeof most === "number") return `${name}=${most * 2}`;
  }
  return "max_tokens=<more>";
}

/** What a user can do about failed items with one cause. */
export function adviceFor(code: string, kind: string): string {
  const known = ADVICE.get(code);
  if (known !== undefined) return known;
  if (kind === "throttled")
    return "The account's limit was reached: run them again with a lower --rpm.";
  if (kind === "retry") return "The gateway had trouble: run them again later.";
  return "Look at the message: the gateway refuses these requests as they are.";
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  [
    "timeout",
    "Run them again with a longer --timeout, with --stream, or with a smaller max_tokens.",
  ],
  ["answer_cut", "Run them again; --stream survives proxies that cut slow answers."],
  ["http_504", "The answers took too long: run them again with --stream or a smaller max_tokens."],
  ["http_524", "The answers took too long: run them again with --stream or a smaller max_tokens."],
  [
    "context_length_exceeded",
    "Shorten these records, or run them again with a model of a larger context.",
  ],
  ["request_too_large", "A single request is above the account's tokens per minute: shorten it."],
  [
    "content_filter",
    "The provider's filter refuses these records: change them, or try another model.",
  ],
  ["sensitive_words_detected", "The gateway's word filter refuses these records: change them."],
  ["truncated", "Run them again with a larger max_tokens: --param max_tokens=…"],
  ["rate_limited", "The account's limit was reached: run them again with a lower --rpm."],
  [
    "worker_lost",
    "Workers died while they had these items, likely for want of memory: look at their logs.",
  ],
]);
