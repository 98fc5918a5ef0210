import { usageJson } from "./completion.ts";
import type { Completion } from "./completion.ts";
import type { StreamFault } from "./fault.ts";

/** How server-sent events are written; every variant is allowed by the standard. */
export interface StreamStyle {
  /** Lines end in CRLF. @default false */
  readonly crlf?: boolean;
  /** `data:` without the space. @default false */
  readonly tight?: boolean;
  /** A keep-alive comment before the first chunk. @default none */
  readonly ping?: ": PING" | ":";
  /** Writes break at any byte, inside a character too. @default false */
  readonly split?: boolean;
}

/** What can go wrong with a stream: one of the numbered faults, or a connection closed in the middle. */
export type StreamTrouble = StreamFault | "cut";

/** A stream as pieces of text, and how the connection goes on after the last one. */
export interface StreamScript {
  readonly frames: readonly string[];
  readonly ending: "end" | "close" | "reset" | "silence";
}

/** Lays out a streamed answer. */
export function streamOf(
  completion: Completion,
  withUsage: boolean,
  style: StreamStyle,
  trouble?: StreamTrouble,
): StreamScript {
  const sse = eventWriter(style);
  const ping = style.ping === undefined ? [] : [sse.comment(style.ping)];
  const usage = withUsage ? [sse.data(usageChunk(completion))] : [];
  const done = sse.data("[DONE]");
  const pieces = contentChunks(completion).map(sse.data);
  const part = [...ping, ...pieces.slice(0, Math.ceil(pieces.length / 2))];
  switch (trouble) {
    case undefined:
      break;
    case "F1": {
      const error = sse.data(`{"error":${UPSTREAM_ERROR}}`);
      return { frames: [...part, error, ...usage, done], ending: "end" };
    }
    case "F2":
      return { frames: [...part, sse.errorEvent(`{"error":${UPSTREAM_ERROR}}`)], ending: "end" };
    case "F3":
      return {
        frames: [...part, sse.data(`{"type":"error","error":${UPSTREAM_ERROR}}`)],
        ending: "end",
      };
    case "F4":
      return { frames: [sse.comment(": PING"), `{"error":${UPSTREAM_ERROR}}`], ending: "end" };
    case "F5":
      return { frames: [...part, ...usage, done], ending: "end" };
    case "F6":
      return { frames: part, ending: "end" };
    case "F7":
      return { frames: [...part, 'data: {"id":"chatcmpl-'], ending: "reset" };
    case "F8": {
      const nobody = { ...completion, requestId: null, created: 0, model: "" };
      return { frames: [...ping, sse.data(usageChunk(nobody)), done], ending: "end" };
    }
    case "F9":
      return { frames: part, ending: "silence" };
    case "cut":
      return { frames: part, ending: "close" };
  }
  const last = sse.data(chunk(completion, "{}", `"${completion.finishReason}"`));
  return { frames: [...ping, ...pieces, last, ...usage, done], ending: "end" };
}

const UPSTREAM_ERROR =
  '{"message":"The server had an error while processing your request","type":"server_error","param":"","code":"server_error"}';

/** Long answers come in larger pieces, so that a stream has at most about this many chunks. */
const MOST_PIECES = 64;
const SMALLEST_PIECE = 16;

type Named = Omit<Completion, "requestId"> & { readonly requestId: string | null };

function contentChunks(completion: Completion): string[] {
  const content = completion.content ?? "";
  const size = Math.max(SMALLEST_PIECE, Math.ceil(content.length / MOST_PIECES));
  const pieces = content.match(new RegExp(`[^]{1,${size}}`, "gu")) ?? [];
  return [
    chunk(completion, '{"role":"assistant","content":""}', "null"),
    ...pieces.map((piece) => chunk(completion, `{"content":${JSON.stringify(piece)}}`, "null")),
  ];
}

function chunk(completion: Named, delta: string, finishReason: string): string {
  const choice = `{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finishReason}}`;
  return `${chunkHead(completion)},"choices":[${choice}]}`;
}

function usageChunk(completion: Named): string {
  const usage = usageJson({ ...completion, requestId: "" });
  return `${chunkHead(completion)},"choices":[],"usage":${usage}}`;
}

function chunkHead({ requestId, created, model }: Named): string {
  const id = requestId === null ? "" : `chatcmpl-${requestId}`;
  return (
    `{"id":"${id}","object":"chat.completion.chunk","created":${created},` +
    `"model":${JSON.stringify(model)},"system_fingerprint":null`
  );
}

function eventWriter({ crlf = false, tight = false }: StreamStyle) {
  const eol = crlf ? "\r\n" : "\n";
  const field = tight ? "data:" : "data: ";
  return {
    data: (json: string) => `${field}${json}${eol}${eol}`,
    errorEvent: (json: string) => `event: error${eol}${field}${json}${eol}${eol}`,
    comment: (text: string) => `${text}${eol}${eol}`,
  };
}
