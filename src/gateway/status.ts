import { limitOf, type Meaning } from "./codes.ts";
import { isHtml, type Problem } from "./error-body.ts";

const BASE_URL: Meaning = { class: "pause-run", trouble: "base-url" };

/** What an error's status means where neither its code nor its message told. */
export function meaningOfStatus(status: number, problem: Problem, body: string): Meaning {
  // A redirect is not followed: the key is for this host alone.
  if (status < 400) return BASE_URL;
  switch (status) {
    case 401:
      return { class: "pause-run", trouble: "key" };
    case 402:
      return { class: "pause-run", trouble: "balance" };
    case 404:
      return isWrongUrl(problem, body) ? BASE_URL : { class: "fail-item", code: "http_404" };
    case 405:
    case 501:
      return BASE_URL;
    case 408:
    case 409:
    case 425:
      return { class: "retry" };
    case 413:
      return { class: "fail-item", code: "request_too_large" };
    case 429:
      return { class: "throttled", limit: limitOf(problem) };
    case 503:
    case 529:
      return { class: "throttled", limit: "overload" };
    default:
      return status >= 500 ? { class: "retry" } : { class: "fail-item", code: `http_${status}` };
  }
}

function isWrongUrl({ message }: Problem, body: string): boolean {
  return isHtml(body) || /^invalid url|^(?:404 )?(?:page )?not found\.?$/i.test(message);
}
