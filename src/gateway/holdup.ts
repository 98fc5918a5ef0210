/** What holds the run back just now. */
export type Holdup =
  | { readonly kind: "nothing" }
  | { readonly kind: "throttled"; readonly untilMs: number }
  | { readonly kind: "outage"; readonly forMs: number; readonly message: string }
  | { readonly kind: "rpm" | "tpm"; readonly perMinute: number }
  /** As many calls in flight as there may be. */
  | { readonly kind: "concurrency"; readonly calls: number }
  /** More calls at once would only be answered later. */
  | { readonly kind: "latency"; readonly calls: number };
