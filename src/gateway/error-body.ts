import { isRecord, textOf, type JsonRecord } from "./json.ts";

/** What a gateway says went wrong, out of one of the many shapes it may have. */
export interface Problem {
  /** The gateway's own name for it; "" where it gives none. */
  readonly code: string;
  readonly type: string;
  readonly message: string;
}

const MAX_MESSAGE = 500;
const MESSAGE_FIELDS = ["message", "msg", "detail", "error_msg", "error"];

/**
 * The problem in a parsed body; null where the body is no error.
 *
 * Known shapes: `{error:{message,type,code}}`, `{error:"text"}`, flat `{code,message}`, `{message}`,
 * `{msg}`, `{detail}`, `{error_msg}`, `{success:false}`, and each of these in a list of one.
 */
export function problemIn(body: unknown): Problem | null {
  const outer: unknown = Array.isArray(body) ? body[0] : body;
  if (!isRecord(outer)) return null;
  const { error } = outer;
  if (isRecord(error)) return isEmpty(error) ? null : problem(error);
  if (textOf(error) !== null) return problem(outer);
  const flat = problem(outer);
  return outer["success"] === false || (flat.message !== "" && !isAnswer(outer)) ? flat : null;
}

/** The problem in a body that is no JSON: the title of a page, or the text itself. */
export function problemInText(body: string): Problem {
  const title = /<title[^>]*>([^<]*)/i.exec(body.slice(0, 4096))?.[1];
  return { code: "", type: "", message: shorten(title ?? body) };
}

/** Whether a body is a web page. */
export function isHtml(body: string): boolean {
  return /^\s*<(?:!doctype\s+html|html|head|body)\b/i.test(body.slice(0, 256));
}

function problem(from: JsonRecord): Problem {
  const { code } = from;
  return {
    code: typeof code === "number" ? String(code) : (textOf(code) ?? ""),
    type: textOf(from["type"]) ?? "",
    message: shorten(firstText(from) ?? ""),
  };
}

function firstText(from: JsonRecord): string | null {
  for (const field of MESSAGE_FIELDS) {
    const text = textOf(from[field]);
    if (text !== null) return text;
  }
  return null;
}

function isAnswer(body: JsonRecord): boolean {
  return body["choices"] !== undefined;
}

function isEmpty(error: JsonRecord): boolean {
  return Object.values(error).every((value) => value === null || value === "");
}

function shorten(text: string): string {
  const line = text
    .slice(0, 4 * MAX_MESSAGE)
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE)}…`;
}
