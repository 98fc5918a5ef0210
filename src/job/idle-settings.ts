import { isBatchLine, isRequestBody, type RequestSpec } from "./request.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Settings of a job that do nothing for a record which is a request already. */
export interface IdleSettings {
  /** What the record is instead. */
  readonly form: string;
  readonly names: readonly string[];
}

/** What a job says in vain about a record; null where all of it counts. */
export function idleSettings(spec: RequestSpec, fields: Fields): IdleSettings | null {
  if (isBatchLine(fields)) {
    const names = idleInBatchLine(spec, fields.body);
    return names.length === 0
      ? null
      : { form: "an OpenAI Batch line, which is sent as it is", names };
  }
  return isRequestBody(fields) && spec.messages !== null
    ? { form: "a request with messages of its own", names: [MESSAGES] }
    : null;
}

const MESSAGES = "messages (the prompt)";

function idleInBatchLine({ model, params, messages, id }: RequestSpec, body: Fields): string[] {
  const isSaidOtherwise = (name: string): boolean =>
    JSON.stringify(params[name]) !== JSON.stringify(body[name]);
  return [
    // Where the line names none, the job's is taken.
    ...(model !== null && (body["model"] ?? model) !== model ? ["model"] : []),
    ...(Object.keys(params).some(isSaidOtherwise) ? ["params"] : []),
    ...(messages === null ? [] : [MESSAGES]),
    ...(id === null || id.includes("custom_id") ? [] : ["id"]),
  ];
}
