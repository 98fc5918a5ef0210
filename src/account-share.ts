/** What the processes that use one account at the same time share: its rates, and being told to wait. */
export interface AccountShare {
  /**
   * Tells the others what this process learned and takes what it may send now. Called some forty
   * times a second while calls wait.
   *
   * @throws when the shared place does not answer; then nothing was granted.
   */
  exchange(ask: ShareAsk): Promise<ShareGrant>;
}

export interface ShareAsk {
  /** Requests that wait to be sent; a whole number. */
  readonly requests: number;
  /** Tokens that they may use at most; a whole number. */
  readonly tokens: number;
  /**
   * Limits that replace those of all, where something new was learned: null takes one away. Absent
   * where there is no news.
   */
  readonly limits?: Partial<AccountLimits>;
  /** The most that this process's user allows all together. @default no limit */
  readonly most?: AccountLimits;
  /** What this process has used since it asked last: the others measure with it. @default nothing */
  readonly used?: Amounts;
  /** Milliseconds from now for which nobody may send. @default 0 */
  readonly closeMs?: number;
}

export interface Amounts {
  readonly requests: number;
  readonly tokens: number;
}

/** Per minute; null where no limit is known. */
export interface AccountLimits {
  readonly rpm: number | null;
  readonly tpm: number | null;
}

export interface ShareGrant {
  /** Requests that may be sent now, at most those asked for; all of them where no limit is known. */
  readonly requests: number;
  /** Tokens that may be used now, at most those asked for; all of them where no limit is known. */
  readonly tokens: number;
  /** The limits that hold for all just now: at most what the user of any of them allows. */
  readonly limits: AccountLimits;
  /** What the others have used since this process asked last. */
  readonly othersUsed: Amounts;
  /** Milliseconds from now for which nobody may send; 0 when all may. */
  readonly closedMs: number;
  /** Processes that use the account now, this one among them. */
  readonly processes: number;
}
