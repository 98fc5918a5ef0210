import type { GatewayAnswer } from "../outcome.ts";
import { parseJson, textOf } from "./json.ts";
import { redactSecrets } from "./redact.ts";
import type { Answered } from "./reply.ts";
import type { Failure } from "./verdict.ts";

/** The longest body that was no JSON and is still kept, in characters. */
const MAX_TEXT = 2000;

/** A failure with what the gateway said about it, keys masked. */
export function failureOf(reply: Answered, code: string, message: string): Failure {
  return {
    code,
    message: redactSecrets(message),
    response: answerOf(reply, redactSecrets(reply.body)),
  };
}

/** The gateway's answer as the ledger keeps it: a body of JSON as it came, on one line. */
function answerOf({ status, headers }: Answered, body: string): GatewayAnswer {
  return {
    status,
    requestId: requestIdIn(headers),
    body:
      parseJson(body) === undefined ? JSON.stringify(body.slice(0, MAX_TEXT)) : jsonOnOneLine(body),
  };
}

/** JSON without line breaks. They stand between tokens only: inside a string none is allowed. */
export function jsonOnOneLine(json: string): string {
  return json.includes("\n") || json.includes("\r") ? json.replaceAll(/[\r\n]+/g, "") : json;
}

/** The gateway's own name for the call, for its support desk. */
export function requestIdIn(headers: Readonly<Record<string, string>>): string | null {
  return (
    textOf(headers["x-oneapi-request-id"]) ??
    textOf(headers["x-request-id"]) ??
    textOf(headers["apim-request-id"]) ??
    textOf(headers["cf-ray"])
  );
}
