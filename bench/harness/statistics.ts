/** The middle value; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** `median (min-max)` with a fixed number of decimals, or a dash for nothing. */
export function spread(values: readonly number[], decimals = 0): string {
  if (values.length === 0) return "-";
  const range = `${figure(Math.min(...values), decimals)}-${figure(Math.max(...values), decimals)}`;
  return `${figure(median(values), decimals)} (${range})`;
}

/** `2.31x`, the median of the rounds' own ratios, or a dash for nothing. */
export function ratio(values: readonly number[]): string {
  return values.length === 0 ? "-" : `${figure(median(values), 2)}x`;
}

/** A number with thousands set apart. */
export function figure(value: number, decimals = 0): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** Bytes as MB of a million bytes. */
export function megabytes(bytes: number): number {
  return bytes / 1e6;
}
