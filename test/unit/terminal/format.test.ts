import { describe, expect, it } from "vitest";

import {
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatMoney,
  formatRate,
  formatTime,
  plural,
} from "../../../src/terminal/format.ts";

describe("formatDuration", () => {
  it.each([
    [0, "0 s"],
    [0.2, "0 ms"],
    [850, "850 ms"],
    [999.9, "1 s"],
    [4_200, "4.2 s"],
    [9_960, "10 s"],
    [42_000, "42 s"],
    [59_700, "1m 00s"],
    [192_000, "3m 12s"],
    [3_599_700, "1h 00m"],
    [3_720_000, "1h 02m"],
    [183_600_000, "2d 03h"],
  ])("tells %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("formatMoney", () => {
  it.each([
    [0, "$0.00"],
    [0.0003, "$0.0003"],
    [0.000312345, "$0.000312"],
    [0.0123456, "$0.0123"],
    [0.5, "$0.50"],
    [0.9999, "$1.00"],
    [12.345, "$12.35"],
    [1_234.5, "$1,234.50"],
  ])("tells %d dollars as %s", (usd, text) => {
    expect(formatMoney(usd)).toBe(text);
  });
});

describe("formatRate", () => {
  it.each([
    [0, "0 items/s"],
    [0.02, "1.2 items/min"],
    [33.14, "33.1 items/s"],
    [4_512, "4.5K items/s"],
  ])("tells %d a second as %s", (perSecond, text) => {
    expect(formatRate(perSecond, "items")).toBe(text);
  });
});

describe("other figures", () => {
  it("separates thousands", () => {
    expect(formatCount(1_234_567)).toBe("1,234,567");
  });

  it("shortens what changes too fast to be read", () => {
    expect(formatCompact(45_123)).toBe("45.1K");
  });

  it.each([
    [512, "512 B"],
    [1_500_000, "1.5 MB"],
    [999_999, "1 MB"],
  ])("tells %d bytes as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [1, "1 item"],
    [0, "0 items"],
    [3_000, "3,000 items"],
  ])("counts %d as %s", (count, text) => {
    expect(plural(count, "item")).toBe(text);
  });

  it("tells a time to the minute, in UTC", () => {
    expect(formatTime("2026-01-02T02:05:59.123Z")).toBe("2026-01-02 02:05 UTC");
  });

  it("leaves alone what is no time", () => {
    expect(formatTime("last night")).toBe("last night");
  });
});
