// What a refusal says about the account's rates. A limit per day is no rate per minute.

/** Limits that a message names, per minute; null where it names none. */
export interface ToldLimits {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
}

// new-api's own limiter: "您已达到请求数限制：1分钟内最多请求60次"
const OWN_LIMIT = /(\d+)\s*分钟内最多请求\s*(\d+)\s*次/;
// OpenAI and what relays it: "on requests per min (RPM): Limit 500, Used 500", in older texts
// "on requests per min. Limit: 3 / min"
const REQUESTS = /\brequests per min(?:ute)?\b(?: \(RPM\))?[.:]?\s*Limit:?\s*([\d,.]+)/i;
const TOKENS = /\btokens per min(?:ute)?\b(?: \(TPM\))?[.:]?\s*Limit:?\s*([\d,.]+)/i;

/** The rates that the message of a throttling answer names. */
export function toldLimits(message: string): ToldLimits {
  return {
    requestsPerMinute: ownLimit(message) ?? amount(REQUESTS.exec(message)?.[1]),
    tokensPerMinute: amount(TOKENS.exec(message)?.[1]),
  };
}

function ownLimit(message: string): number | null {
  const match = OWN_LIMIT.exec(message);
  if (match === null) return null;
  const [minutes, requests] = [Number(match[1]), Number(match[2])];
  return minutes > 0 && requests > 0 ? requests / minutes : null;
}

function amount(digits: string | undefined): number | null {
  // The full stop of a sentence may follow: "Limit: 10000.000000 / min" and "Limit: 500."
  const value = Number.parseFloat((digits ?? "").replaceAll(",", ""));
  return value > 0 ? value : null;
}
