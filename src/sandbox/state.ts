import type { Clock } from "../system/clock.ts";
import type { AnswerTemplate } from "./answer.ts";
import type { Profile } from "./error-answer.ts";
import type { Fault } from "./fault.ts";
import type { Account } from "./keys.ts";
import type { SandboxLedger } from "./ledger.ts";
import type { Script } from "./script.ts";
import type { StreamStyle } from "./stream.ts";

/** Any value between the two, each as likely. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** How long the model of the sandbox takes. All 0 by default. */
export interface Latency {
  /** Milliseconds to the first token. */
  readonly ttftMs?: number | Range;
  /** Tokens per second after it; 0 is at once. */
  readonly tokensPerSecond?: number;
  /** Spread of both: the sigma of a log-normal factor. 0.3 is lifelike. */
  readonly jitter?: number;
}

/** A running sandbox: what every request sees. */
export interface SandboxState {
  readonly seed: number;
  readonly profile: Profile;
  readonly models: readonly string[];
  readonly template: AnswerTemplate;
  readonly streamStyle: StreamStyle;
  readonly latency: Required<Latency>;
  readonly slowMs: number;
  readonly clock: Clock;
  readonly ledger: SandboxLedger;
  readonly script: Script;
  accounts: ReadonlyMap<string, Account>;
  /** Calls so far by row. */
  readonly attempts: Map<string, number>;
  /** Rows need a name only where somebody asks for it: hashing bodies costs time. */
  readonly namesRows: boolean;
  readonly nextId: (nowMs: number) => string;
  /** Null where chaos is off. */
  readonly drawFault: ((fraction: number) => Fault | undefined) | null;
  /** Runs after so many milliseconds, at once for 0, never after the sandbox has closed. */
  readonly later: (ms: number, run: () => void) => void;
}
