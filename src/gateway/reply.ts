/** What came back from one HTTP call, before anyone judged it. */
export type Reply = Answered | Unanswered;

export interface Answered {
  readonly kind: "answered";
  readonly status: number;
  /** Lower-case names; a name sent twice is joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body as text. A streamed answer arrives here already put together as one chat.completion. */
  readonly body: string;
  /** Milliseconds from sending to the last byte. */
  readonly ms: number;
}

export interface Unanswered {
  readonly kind: "unanswered";
  readonly cause:
    | "connect-timeout"
    | "refused"
    | "dns"
    | "tls"
    /** The connection broke before a byte of the answer. */
    | "reset"
    /** The answer broke off after its first byte. */
    | "cut"
    /** No headers, or silence, or no end, within the time allowed. */
    | "timeout"
    /** The answer is larger than the client accepts. */
    | "too-large";
  readonly message: string;
  readonly ms: number;
}
