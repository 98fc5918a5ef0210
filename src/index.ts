// The public API: everything else may change without notice.
import "./system/supported-node.ts";

export { RunStopped, UsageError } from "./errors.ts";
export type { StopReason } from "./errors.ts";
export type { JobOverrides } from "./job/resolve.ts";
export type { JobFile } from "./job/schema.ts";
export type { UsageReport } from "./ledger/usage.ts";
export type { Progress, RunEvent, RunResult } from "./run/events.ts";
export type { Condition } from "./ledger/select.ts";
export { defineJob, retry, run } from "./run/start.ts";
export type { RunOptions } from "./run/start.ts";
