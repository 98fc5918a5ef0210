import { weigh } from "./tokens.ts";

/** What the sandbox reads of a chat completion request. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly unknown[];
  /** Text of the last user message, or of the last message where no user speaks. */
  readonly lastUserText: string;
  /** Text of all messages in twentieths of a token. */
  readonly promptWeight: number;
  readonly maxTokens: number | null;
  readonly stream: boolean;
  /** `stream_options.include_usage`, null where it is not said. */
  readonly includeUsage: boolean | null;
  /** The JSON schema asked for in `response_format`, if any. */
  readonly schema: unknown;
}

/** Why a body is no chat request. `detail` is the parser's complaint. */
export interface BadRequest {
  readonly problem: "400-json" | "400-model" | "500-messages";
  readonly detail: string;
}

interface Wire {
  model?: unknown;
  messages?: unknown;
  max_tokens?: unknown;
  max_completion_tokens?: unknown;
  stream?: unknown;
  stream_options?: { include_usage?: unknown } | null;
  response_format?: { json_schema?: { schema?: unknown } | null } | null;
}

/** Reads a request body; complains in the order in which new-api does. */
export function readChatRequest(text: string): ChatRequest | BadRequest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { problem: "400-json", detail: error instanceof Error ? error.message : "" };
  }
  if (typeof parsed !== "object" || parsed === null) {
    return { problem: "400-json", detail: "a JSON object is expected" };
  }
  const wire = parsed as Wire;
  if (typeof wire.model !== "string" || wire.model === "") {
    return { problem: "400-model", detail: "" };
  }
  if (!Array.isArray(wire.messages) || wire.messages.length === 0) {
    return { problem: "500-messages", detail: "" };
  }
  const messages: readonly unknown[] = wire.messages;
  let promptWeight = 0;
  let lastUserText: string | null = null;
  let lastText = "";
  for (const message of messages) {
    lastText = textOf(message);
    promptWeight += weigh(lastText);
    if (isFromUser(message)) lastUserText = lastText;
  }
  return {
    model: wire.model,
    messages,
    lastUserText: lastUserText ?? lastText,
    promptWeight,
    maxTokens: positive(wire.max_completion_tokens) ?? positive(wire.max_tokens),
    stream: wire.stream === true,
    includeUsage: asBoolean(wire.stream_options?.include_usage),
    schema: wire.response_format?.json_schema?.schema,
  };
}

function isFromUser(message: unknown): boolean {
  return typeof message === "object" && message !== null && "role" in message
    ? message.role === "user"
    : false;
}

function textOf(message: unknown): string {
  if (typeof message !== "object" || message === null || !("content" in message)) return "";
  if (typeof message.content === "string") return message.content;
  if (!Array.isArray(message.content)) return "";
  return message.content.map(textOfPart).join("");
}

function textOfPart(part: unknown): string {
  return typeof part === "object" &&
    part !== null &&
    "text" in part &&
    typeof part.text === "string"
    ? part.text
    : "";
}

function positive(value: unknown): number | null {
  return typeof value === "number" && value > 0 ? value : null;
}

function asBoolean(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}
