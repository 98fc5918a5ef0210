const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  millisecond: 1,
  毫秒: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  秒: 1000,
  m: MINUTE_MS,
  min: MINUTE_MS,
  minute: MINUTE_MS,
  分钟: MINUTE_MS,
  h: HOUR_MS,
  hr: HOUR_MS,
  hour: HOUR_MS,
  小时: HOUR_MS,
  d: DAY_MS,
  day: DAY_MS,
};

const UNIT =
  "(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])";
// "try again in 6m0s", "Please retry after 20 seconds", "try again in 1h2m3s"
const ENGLISH = new RegExp(
  `(?:try again|retry)\\s+(?:in|after)\\s+((?:\\d+(?:\\.\\d+)?\\s*${UNIT}\\s*)+)`,
  "i",
);
// "请在 20 秒后重试", "请1分钟后再试"
const CHINESE = /(\d+(?:\.\d+)?\s*(?:毫秒|秒|分钟|小时))(?:钟|之|以)?后/;
const PART = /(\d+(?:\.\d+)?)\s*([a-z]+|毫秒|秒|分钟|小时)/gi;

/**
 * How long the gateway asks to wait, in milliseconds; null where it does not tell, or tells nonsense
 * (nothing at all, the past, more than a day).
 *
 * @param now - Wall-clock milliseconds: for an HTTP date in an answer without a `Date` of its own.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  message: string,
  now: number,
): number | null {
  return (
    sane(plainNumber(headers["retry-after-ms"])) ??
    sane(plainNumber(headers["retry-after"]) * 1000) ??
    sane(untilDate(headers["retry-after"], headers["date"], now)) ??
    sane(durationIn(message))
  );
}

function sane(ms: number): number | null {
  return ms > 0 && ms <= DAY_MS ? Math.ceil(ms) : null;
}

function plainNumber(value: string | undefined): number {
  return value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : Number.NaN;
}

// Against the answer's own clock, so that ours may be wrong.
function untilDate(value: string | undefined, date: string | undefined, now: number): number {
  const serverNow = httpDate(date);
  return httpDate(value) - (Number.isNaN(serverNow) ? now : serverNow);
}

// `Date.parse` takes too much for a date ("-5" is one): an HTTP date begins with its weekday, and is GMT.
function httpDate(value: string | undefined): number {
  if (value === undefined || !/^\s*(mon|tue|wed|thu|fri|sat|sun)/i.test(value)) return Number.NaN;
  return Date.parse(/gmt\s*$/i.test(value) ? value : `${value} GMT`);
}

function durationIn(message: string): number {
  const words = ENGLISH.exec(message)?.[1] ?? CHINESE.exec(message)?.[1];
  if (words === undefined) return Number.NaN;
  let ms = 0;
  for (const [, amount, unit = ""] of words.matchAll(PART)) ms += Number(amount) * unitMs(unit);
  return ms;
}

function unitMs(unit: string): number {
  const name = unit.toLowerCase();
  return UNIT_MS[name] ?? UNIT_MS[name.replace(/s$/, "")] ?? Number.NaN;
}
