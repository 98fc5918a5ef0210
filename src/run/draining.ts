import { RunStopped } from "../errors.ts";

/** A streamed answer may take ten times as long as its silence. */
const STREAMED = 10;

/** What a run that stops still waits for. */
export interface Draining {
  readonly inFlight: number;
  /** How long it has been stopping. */
  readonly sinceMs: number;
  readonly policy: { readonly timeoutMs: number; readonly stream: boolean };
  /** Why whoever started the run stops it; undefined where it stops by itself. */
  readonly reason: unknown;
}

/** What a run waits for that takes no more items, and for how long: no call begins any more. */
export function drainingText({ inFlight, sinceMs, policy, reason }: Draining): string {
  if (inFlight === 0) return "stopping: what has come is being recorded";
  const leftMs = policy.timeoutMs * (policy.stream ? STREAMED : 1) - sinceMs;
  return (
    `stopping: ${inFlight} ${inFlight === 1 ? "call" : "calls"} in flight` +
    (leftMs > 0 ? `, ${roundedUp(leftMs)} at most` : "") +
    // The command line's own; whoever calls the library has signals of another kind.
    (reason instanceof RunStopped ? "; Ctrl-C again stops now" : "")
  );
}

function roundedUp(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
