import * as z from "zod";

/** What somebody may want to be told. */
export const NOTICES = ["finished", "failed", "paused", "skipped"] as const;

export type Notice = (typeof NOTICES)[number];

/** The `notify` of a job file. */
export const notifySchema = z.strictObject({
  webhook: z
    .string()
    .refine((text) => /^https?:\/\/[^/]/.test(text) && URL.canParse(text), {
      error: "is no address: write one such as https://example.com/hook",
    })
    .exactOptional()
    .describe("Where to POST it; default: NIGHTSHIFT_WEBHOOK_URL"),
  on: z
    .array(z.enum(NOTICES))
    .min(1)
    .exactOptional()
    .describe(
      "finished: the run came to its end; failed: some items failed; paused: it stopped half-way; skipped: a firing of the schedule was left out or refused; default all",
    ),
});
