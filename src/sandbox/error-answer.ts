// What the error catalogues are made of.

/** Which software's bodies and headers the sandbox speaks. */
export type Profile = "newapi" | "oneapi" | "sub2api" | "openai";

/** An answer that is an error, before the headers that every answer carries. */
export interface ErrorAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** In the flat form that Node takes: name, value, name, value. */
  readonly headers: readonly string[];
}

/** What error texts speak of. */
export interface ErrorContext {
  readonly requestId: string;
  readonly model: string;
  /** Method and path. */
  readonly target: string;
  /** The client asked for Chinese. */
  readonly chinese: boolean;
  /** The limit that was hit, where one was. */
  readonly limit: number;
  /** How much of it is taken. */
  readonly used: number;
  /** The parser's complaint, or the amount asked for. */
  readonly detail: string;
  /** How long to wait, as a Go duration: what the message says where it says it. */
  readonly tryAgain: string;
}

/** Makes the answer for one kind of error. */
export type ErrorMaker = (context: ErrorContext) => ErrorAnswer;

/** An error object as the upstream sent it. */
export function relayed(status: number, error: Readonly<Record<string, unknown>>): ErrorAnswer {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: JSON.stringify({ error }),
    headers: [],
  };
}

/** What new-api appends to its own messages; relayed ones lack it. */
export function tail(context: ErrorContext): string {
  return ` (request id: ${context.requestId})`;
}
