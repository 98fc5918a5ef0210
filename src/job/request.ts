import { messageOf, RecordError, UsageError } from "../errors.ts";
import { checkColumns } from "./column.ts";
import { compileTemplate } from "./template.ts";

/** One message of the job. */
export interface MessageTemplate {
  readonly role: string;
  /** A template, or content parts: any JSON whose strings are templates. */
  readonly content: unknown;
  readonly name?: string;
}

/** What the job says about its requests. */
export interface RequestSpec {
  readonly model: string | null;
  readonly messages: readonly MessageTemplate[] | null;
  readonly params: Readonly<Record<string, unknown>>;
  /** A template. */
  readonly id: string | null;
}

/** What a record must offer to become a request. */
export interface RequestSource {
  readonly index: number;
  readonly fields: Fields;
}

/** One request, ready for the queue. */
export interface ItemRequest {
  readonly customId: string;
  readonly model: string;
  /** JSON text. */
  readonly body: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Makes the function that turns each record into its request: an OpenAI Batch line, a request body,
 * or a plain record for the templates.
 * @throws UsageError for a template that is wrong or asks for a column that `columns` lacks. The function made
 * throws RecordError.
 */
export function compileRequests(
  spec: RequestSpec,
  columns: readonly string[] | null,
  where: string,
): (record: RequestSource) => ItemRequest {
  const compile = (text: string, place: string): ((fields: Fields) => string) => {
    const template = compileTemplate(text, `${where}: ${place}`);
    if (columns !== null) checkColumns(template.variables, columns, `${where}: ${place}`);
    return template.render;
  };

  const renderMessages = messageRenderer(spec.messages, compile);
  const renderId = spec.id === null ? null : compile(spec.id, "id");
  const params = withoutStream(spec.params);
  if (columns !== null) checkCsvCanRun(spec, columns, where);

  const nameOf = ({ index, fields }: RequestSource): string =>
    renderId === null ? fieldId(fields, index) : nonEmpty(renderId(fields), "the `id` template");

  return (record) => {
    const { fields } = record;
    if (isBatchLine(fields)) {
      checkTarget(fields);
      const body = { model: spec.model, ...withoutStream(fields.body) };
      return { customId: idText(fields["custom_id"], "custom_id"), ...requestText(body) };
    }
    if (isRequestBody(fields)) {
      const own = without(fields, REQUEST_BODY_EXTRAS);
      const body = { model: spec.model, ...params, ...own };
      return { customId: nameOf(record), ...requestText(body) };
    }
    if (renderMessages === null) throw new RecordError(NO_MESSAGES);
    const body = { model: spec.model, messages: renderMessages(fields), ...params };
    return { customId: nameOf(record), ...requestText(body) };
  };
}

const NO_MESSAGES =
  "nothing says what to ask about this record. Add `messages:` to the job, or give --prompt.";
const NO_MODEL = "no model is named. Add `model:` to the job, or give --model.";

function messageRenderer(
  messages: readonly MessageTemplate[] | null,
  compile: (text: string, place: string) => (fields: Fields) => string,
): ((fields: Fields) => unknown[]) | null {
  if (messages === null) return null;
  const rendered = messages.map((message, at) => {
    const render = jsonRenderer(message.content, `messages[${at}].content`, compile);
    return (fields: Fields) => ({ ...message, content: render(fields) });
  });
  return (fields) => rendered.map((render) => render(fields));
}

/** Any JSON whose strings are templates. */
function jsonRenderer(
  value: unknown,
  place: string,
  compile: (text: string, place: string) => (fields: Fields) => string,
): (fields: Fields) => unknown {
  if (typeof value === "string") return compile(value, place);
  if (Array.isArray(value)) {
    const parts = value.map((part, at) => jsonRenderer(part, `${place}[${at}]`, compile));
    return (fields) => parts.map((render) => render(fields));
  }
  if (isObject(value)) {
    const entries = Object.entries(value).map(
      ([key, part]) => [key, jsonRenderer(part, `${place}.${key}`, compile)] as const,
    );
    return (fields) => Object.fromEntries(entries.map(([key, render]) => [key, render(fields)]));
  }
  return () => value;
}

/** Every CSV record is a plain record, so what is missing is missing for all. */
function checkCsvCanRun(spec: RequestSpec, columns: readonly string[], where: string): void {
  if (spec.messages === null) throw new UsageError(`${where}: ${NO_MESSAGES}`);
  if (spec.model === null) throw new UsageError(`${where}: ${NO_MODEL}`);
  const idColumn = ["custom_id", "id"].find((name) => columns.includes(name));
  if (spec.id === null && idColumn !== undefined) checkColumns([idColumn], columns, where);
}

/** Whether the caller streams is decided per run, so the client adds `stream` and `stream_options`. */
function withoutStream(body: Fields): Fields {
  return without(body, STREAM_KEYS);
}

const STREAM_KEYS: readonly string[] = ["stream", "stream_options"];
const REQUEST_BODY_EXTRAS: readonly string[] = [...STREAM_KEYS, "custom_id", "id"];

function without(fields: Fields, names: readonly string[]): Fields {
  if (!names.some((name) => Object.hasOwn(fields, name))) return fields;
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !names.includes(key)));
}

type BatchLine = Fields & { readonly body: Fields };

/** Whether a record is an OpenAI Batch line, whose body is sent as it is. */
export function isBatchLine(fields: Fields): fields is BatchLine {
  const body = fields["body"];
  return (
    isObject(body) &&
    Object.hasOwn(fields, "custom_id") &&
    (Object.hasOwn(fields, "url") ||
      Object.hasOwn(fields, "method") ||
      Array.isArray(body["messages"]))
  );
}

/** Whether a record is a request itself, in which only what is absent is filled in. */
export function isRequestBody(fields: Fields): boolean {
  return Array.isArray(fields["messages"]);
}

function checkTarget({ url = "/v1/chat/completions", method = "POST" }: Fields): void {
  if (url !== "/v1/chat/completions") {
    throw new RecordError(
      `the url of this batch line is ${JSON.stringify(url)}. Only /v1/chat/completions can be run.`,
    );
  }
  if (method !== "POST") {
    throw new RecordError(
      `the method of this batch line is ${JSON.stringify(method)}. It must be POST.`,
    );
  }
}

function fieldId(fields: Fields, index: number): string {
  if (Object.hasOwn(fields, "custom_id")) return idText(fields["custom_id"], "custom_id");
  if (Object.hasOwn(fields, "id")) return idText(fields["id"], "id");
  return String(index);
}

function idText(value: unknown, field: string): string {
  if (typeof value === "string") return nonEmpty(value, `\`${field}\``);
  // Beyond 2^53 different numbers in the file read as the same one.
  if (typeof value === "number" && (Number.isSafeInteger(value) || !Number.isInteger(value))) {
    return String(value);
  }
  throw new RecordError(
    `\`${field}\` is ${JSON.stringify(value)}. It must be text, or a number below 2^53.`,
  );
}

function nonEmpty(id: string, origin: string): string {
  if (id.trim() !== "") return id;
  throw new RecordError(`${origin} gives an empty id. Fill it in, or choose another id.`);
}

function requestText(body: Fields): Pick<ItemRequest, "model" | "body"> {
  const { model } = body;
  if (typeof model !== "string" || model === "") throw new RecordError(NO_MODEL);
  try {
    return { model, body: JSON.stringify(body) };
  } catch (error) {
    // Nested deeper than the stack, or (through a YAML alias) in itself.
    throw new RecordError(`the request cannot be written as JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
