import { StringDecoder } from "node:string_decoder";

import { createParser, type EventSourceMessage } from "eventsource-parser";

import { createChunkMerger } from "./chunk-merger.ts";
import { isRecord, parseJson, textOf } from "./json.ts";

/** Puts the body of an answer to `stream: true` together, whatever the gateway made of it. */
export interface StreamReader {
  /** Takes the next bytes; true when they brought content, false for keep-alive pings. */
  push(bytes: Uint8Array): boolean;
  /** Whether what has come is an answer, or a refusal to give one, even if no more follows. */
  readonly settled: boolean;
  /**
   * The body as if the call had not been streamed: a whole `chat.completion`, or the gateway's error
   * object, or, where the gateway sent no event stream at all, what it sent.
   */
  end(): string;
}

/**
 * Reads one streamed answer.
 *
 * Headers do not tell an event stream from a JSON error (gateways set `text/event-stream` before they
 * know), so the first character does. `[DONE]` means nothing: gateways send it after a crash too.
 */
export function createStreamReader(): StreamReader {
  const decoder = new StringDecoder("utf8");
  const merger = createChunkMerger();
  let kind: "unknown" | "events" | "plain" = "unknown";
  let plain = "";
  let fault: string | null = null;
  let content = false;
  let atLineStart = true;

  const parser = createParser({
    onEvent: (message) => {
      if (message.data === "[DONE]" || fault !== null) return;
      const chunk = parseJson(message.data);
      const error = errorIn(message, chunk);
      if (error === null) content = merger.add(chunk) || content;
      // An answer that was whole before the error is still an answer.
      else if (!merger.finished) fault = error;
    },
  });

  function feed(text: string): void {
    parser.feed(withStrayJson(text, atLineStart));
    atLineStart = /[\r\n]$/.test(text);
  }

  function take(text: string): boolean {
    if (kind === "events") feed(text);
    else plain += text;
    if (kind === "unknown") {
      const first = plain.trimStart()[0];
      if (first !== undefined) kind = "{[<".includes(first) ? "plain" : "events";
      if (kind === "events") feed(plain);
    }
    return kind !== "events";
  }

  return {
    push(bytes) {
      content = false;
      const text = decoder.write(bytes);
      return text !== "" && (take(text) || content);
    },
    get settled() {
      return fault !== null || merger.finished;
    },
    end() {
      take(decoder.end());
      if (kind !== "events") return plain;
      // The last event may lack its blank line.
      parser.feed("\n\n");
      return fault ?? merger.body();
    },
  };
}

/**
 * Once a ping has gone out with status 200, gateways append a JSON error as a bare line. An event stream
 * knows no such line, and its parser would drop it: this makes it an event.
 */
function withStrayJson(text: string, atLineStart: boolean): string {
  const lines = text.replaceAll(/(?<=[\r\n])\{/g, "data: {");
  return atLineStart && lines.startsWith("{") ? `data: ${lines}` : lines;
}

/** The error object that an event carries, as a JSON body; null where it carries none. */
function errorIn({ event, data }: EventSourceMessage, parsed: unknown): string | null {
  const error = isRecord(parsed) ? parsed["error"] : undefined;
  if (textOf(error) !== null || (isRecord(error) && Object.keys(error).length > 0)) return data;
  if (event === "error" || (isRecord(parsed) && parsed["type"] === "error")) {
    return JSON.stringify({ error: parsed ?? data });
  }
  // A torn chunk: text was lost with it, and what remains must not pass for the answer.
  if (parsed === undefined && data.startsWith("{")) {
    return JSON.stringify({ error: { message: `a torn chunk: ${data}`, code: "not_json" } });
  }
  return null;
}
