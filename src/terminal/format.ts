// Numbers as people read them, the same on every machine.

const counts = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const oneDecimal = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** `850 ms`, `4.2 s`, `42 s`, `3m 12s`, `1h 02m`, `2d 03h`. */
export function formatDuration(ms: number): string {
  if (ms > 0 && ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${oneDecimal.format(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${twoDigits(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${twoDigits(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${twoDigits(hours % 24)}h`;
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** `45.1K`, `1.2M`: for what changes too fast to be read to the last digit. */
export function formatCompact(count: number): string {
  return compact.format(count);
}

/** `$12.34`; below a dollar with three significant digits: `$0.0123`, `$0.0003`. */
export function formatMoney(usd: number): string {
  const digits = usd > 0 && usd < 1 ? Math.min(12, 2 - Math.floor(Math.log10(usd))) : 2;
  return usd.toLocaleString("en-US", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  });
}

/** `33.1 items/s`; slower than one a second: `1.2 items/min`. */
export function formatRate(perSecond: number, noun: string): string {
  if (perSecond >= 1_000) return `${formatCompact(perSecond)} ${noun}/s`;
  if (perSecond >= 1 || perSecond <= 0) return `${oneDecimal.format(perSecond)} ${noun}/s`;
  return `${oneDecimal.format(perSecond * 60)} ${noun}/min`;
}

/** `512 B`, `1.5 MB`: a kilobyte is 1000 bytes. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  while (size >= 999.95 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${oneDecimal.format(size)} ${units[unit] ?? ""}`;
}

/** `1 item`, `3,000 items`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : nouns}`;
}

/** `2026-01-02 02:00 UTC`; what is no date stays as it is. */
export function formatTime(iso: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::[\d.]+)?Z$/.exec(iso);
  return match === null ? iso : `${match[1]} ${match[2]} UTC`;
}

function twoDigits(count: number): string {
  return String(count).padStart(2, "0");
}
