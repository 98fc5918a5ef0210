import type { Environment } from "../system/env.ts";
import type { StopNotice } from "./interrupted.ts";

/** What a command may touch of the world outside. Data goes to stdout, everything for people to stderr. */
export interface Io {
  readonly stdout: { write(text: string): unknown; readonly columns?: number };
  readonly stderr: {
    write(text: string): unknown;
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  /** Aborts at the first Ctrl-C or SIGTERM: finish what is in flight. */
  readonly signal: AbortSignal;
  readonly stopNotice: StopNotice;
  readonly environment: Environment;
  /** Text for people with its commands as they are typed here; both streams do it by themselves. */
  readonly typed: (text: string) => string;
  readonly workingDirectory: string;
  /** Whether stderr shows colors. */
  readonly color: boolean;
}

/** What the exit codes mean. */
export const EXIT = {
  /** Every item completed. */
  ok: 0,
  /** Wrong usage, job file or input; nothing was called. */
  usage: 1,
  /** Finished, but some items failed. */
  someFailed: 2,
  /** Stopped; the same command continues. */
  stopped: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
