import * as z from "zod";

import { parseCron, type WallTimes } from "../cron.ts";
import { messageOf } from "../errors.ts";
import { parseDuration } from "./duration.ts";

const noDuration = { error: 'is no duration: write one such as "60s", "10m" or "24h"' };

const cron = z.string().superRefine((text, context) => {
  try {
    parseCron(text);
  } catch (error) {
    const message = `is no time to fire at: ${JSON.stringify(text)}: ${messageOf(error)}`;
    context.addIssue({ code: "custom", message });
  }
});

/** The `schedule` of a job file. */
export const scheduleSchema = z
  .strictObject({
    cron: cron.describe(
      "When to fire: minute, hour, day of month, month, day of week; six fields have seconds first; or @daily and the like",
    ),
    tz: z
      .string()
      .refine(isTimeZone, {
        error: "is no time zone: write one such as Europe/Berlin or Asia/Shanghai",
      })
      .exactOptional()
      .describe("Whose clock that is; default: this machine's"),
    overlap: z
      .enum(["skip", "queue", "replace"])
      .exactOptional()
      .describe(
        "While the former run goes on: leave the new one out, let it wait (one at most), or stop the former; default skip",
      ),
    catch_up: z
      .enum(["none", "once"])
      .exactOptional()
      .describe(
        "What was missed while no scheduler ran: left out, or made up for once; default none",
      ),
    jitter: z
      .union([z.string(), z.number()], noDuration)
      .refine((value) => parseDuration(value) !== null, noDuration)
      .exactOptional()
      .describe("Fire up to this much later, by chance, so that not all fire at once"),
    unfinished: z
      .enum(["continue", "leave"])
      .exactOptional()
      .describe(
        "Runs of earlier firings that stopped half-way: finished first, or left; default continue",
      ),
  })
  .superRefine((schedule, context) => {
    const times = timesOf(schedule.cron);
    const jitterMs = parseDuration(schedule.jitter ?? "");
    if (times === null || jitterMs === null || jitterMs < times.shortestGapMs) return;
    const message =
      "must be shorter than the time between two firings, so that they keep their order";
    context.addIssue({ code: "custom", path: ["jitter"], message });
  });

/** Why a scheduled job cannot have this `out`: two firings would share a directory; null where it can. */
export function sharedOutProblem(out: string, schedule: { readonly cron: string }): string | null {
  const times = timesOf(schedule.cron);
  const names = new Set([...out.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, name]) => name));
  if (times === null || names.has("run_id")) return null;
  if (!names.has("date")) {
    return "gives all firings of the schedule the same directory, and only the first would run: put {{ date }} or {{ run_id }} into it";
  }
  if (!times.isSeveralADay || names.has("time")) return null;
  return "gives all firings of a day the same directory, and only the first would run: put {{ time }} into it too";
}

function timesOf(text: string): WallTimes | null {
  try {
    return parseCron(text);
  } catch {
    // Told already.
    return null;
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).format(0) !== "";
  } catch {
    return false;
  }
}
