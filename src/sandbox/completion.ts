/** A finished answer, before it becomes JSON or a stream. */
export interface Completion {
  readonly requestId: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
  readonly content: string | null;
  readonly finishReason: "stop" | "length" | "content_filter";
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** What a body leaves out. */
export type Omission = "nothing" | "usage" | "choices" | "every choice";

/** A `chat.completion` as JSON text. Written by hand because it is made for every call. */
export function completionJson(completion: Completion, omit: Omission = "nothing"): string {
  return (
    `{"id":"chatcmpl-${completion.requestId}","object":"chat.completion",` +
    `"created":${completion.created},"model":${JSON.stringify(completion.model)},` +
    `${choicesJson(completion, omit)}${omit === "usage" ? "" : `"usage":${usageJson(completion)},`}` +
    `"service_tier":"default","system_fingerprint":null}`
  );
}

/** The `usage` object as JSON text. */
export function usageJson({ promptTokens, completionTokens }: Completion): string {
  return (
    `{"prompt_tokens":${promptTokens},"completion_tokens":${completionTokens},` +
    `"total_tokens":${promptTokens + completionTokens},` +
    `"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
    `"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,` +
    `"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`
  );
}

function choicesJson(completion: Completion, omit: Omission): string {
  if (omit === "choices") return "";
  if (omit === "every choice") return '"choices":[],';
  return (
    `"choices":[{"index":0,"message":{"role":"assistant",` +
    `"content":${JSON.stringify(completion.content)},"refusal":null,"annotations":[]},` +
    `"logprobs":null,"finish_reason":"${completion.finishReason}"}],`
  );
}
