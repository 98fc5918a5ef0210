import type { ServerResponse } from "node:http";

import { hash32 } from "./hash.ts";
import type { Reply } from "./reply.ts";

/** When the parts of an answer leave, in milliseconds. */
export interface Pace {
  /** Until the first byte could come. */
  readonly firstMs: number;
  /** From then to the last. */
  readonly restMs: number;
}

/** The way to the client. */
export interface Line {
  readonly response: ServerResponse;
  readonly pace: Pace;
  /** Cut writes at any byte. */
  readonly split: boolean;
  /** Headers for a body of this type; for a stream without a length. */
  headers(contentType: string, body: string | null): string[];
  /** Runs after so many milliseconds, at once for 0. */
  readonly later: (ms: number, run: () => void) => void;
  /** The gateway has made its answer: bill it. Called once, before the last byte is handed over. */
  made(): void;
}

/** Sends a reply at its pace. A client that has left changes nothing: the gateway goes on and bills. */
export function deliver(line: Line, reply: Reply): void {
  const { pace } = line;
  if (reply.kind === "stream") {
    line.later(pace.firstMs, () => playStream(line, reply));
    return;
  }
  line.later(pace.firstMs + pace.restMs, () => {
    line.made();
    const { response } = line;
    if (response.destroyed) return;
    switch (reply.kind) {
      case "whole":
        response.writeHead(200, line.headers(reply.contentType, reply.body));
        response.end(reply.body);
        return;
      case "cut":
        response.writeHead(200, line.headers("application/json", reply.body));
        response.write(reply.body.slice(0, reply.body.length / 2), () => response.destroy());
        return;
      case "reset":
        response.socket?.resetAndDestroy();
        return;
      case "silence":
        return;
    }
  });
}

type Stream = Extract<Reply, { kind: "stream" }>;

function playStream(line: Line, reply: Stream): void {
  const { response } = line;
  if (!response.destroyed) response.writeHead(200, line.headers("text/event-stream", null));
  if (line.pace.restMs === 0) {
    line.made();
    finish(line, reply, reply.frames.join(""));
    return;
  }
  const gapMs = line.pace.restMs / Math.max(1, reply.frames.length - 1);
  const play = (index: number): void => {
    const frame = reply.frames[index] ?? "";
    if (index >= reply.frames.length - 1) {
      line.made();
      finish(line, reply, frame);
      return;
    }
    write(line, frame);
    line.later(gapMs, () => play(index + 1));
  };
  play(0);
}

function finish(line: Line, reply: Stream, lastText: string): void {
  const { response } = line;
  if (response.destroyed) return;
  switch (reply.ending) {
    case "end":
      if (line.split) write(line, lastText);
      response.end(line.split ? "" : lastText);
      return;
    case "close":
      response.write(lastText, () => response.destroy());
      return;
    case "reset":
      response.write(lastText, () => response.socket?.resetAndDestroy());
      return;
    case "silence":
      response.write(lastText);
      return;
  }
}

/** Each write becomes an HTTP chunk, so a cut lands where a client's reads may break. */
function write(line: Line, text: string): void {
  if (line.response.destroyed) return;
  if (!line.split) {
    line.response.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    const size = 1 + (hash32(bytes.length, String(at)) % 40);
    line.response.write(bytes.subarray(at, at + size));
    at += size;
  }
}
