import type { Contender } from "./contenders.ts";

/** What a case is given to work with. */
export interface Bench {
  /** Base URL of the stand-in gateway. */
  readonly gateway: string;
  /** A temporary directory. */
  readonly directory: string;
  readonly contenders: readonly Contender[];
  /** Nightshift's entry. */
  readonly cli: string;
  /** The rows of the case that are wanted; none for all of them. */
  readonly rows: readonly string[];
  /** Null for the case's own number. */
  readonly items: number | null;
  /** Null for the case's own number. */
  readonly runs: number | null;
  readonly concurrency: number;
  /** Tells people how far it is. */
  note(text: string): void;
  /** Tells people what went wrong; the bench goes on and ends with 1. */
  fail(text: string, error: unknown): void;
}

/** A case measures and returns a table. */
export type Case = (bench: Bench) => Promise<string>;
