import { nearest } from "./nearest.ts";

/** Params that chat APIs know, the OpenAI API's and those that other models have beside them. */
const KNOWN = [
  "audio",
  "chat_template_kwargs",
  "enable_search",
  "enable_thinking",
  "extra_body",
  "frequency_penalty",
  "function_call",
  "functions",
  "guided_choice",
  "guided_json",
  "guided_regex",
  "include_reasoning",
  "logit_bias",
  "logprobs",
  "max_completion_tokens",
  "max_tokens",
  "metadata",
  "min_p",
  "min_tokens",
  "mirostat",
  "modalities",
  "num_ctx",
  "parallel_tool_calls",
  "plugins",
  "prediction",
  "presence_penalty",
  "prompt_cache_key",
  "prompt_logprobs",
  "provider",
  "reasoning",
  "reasoning_effort",
  "reasoning_split",
  "repetition_penalty",
  "response_format",
  "safety_identifier",
  "seed",
  "service_tier",
  "stop",
  "store",
  "temperature",
  "thinking",
  "thinking_budget",
  "tool_choice",
  "tools",
  "top_a",
  "top_k",
  "top_logprobs",
  "top_n_tokens",
  "top_p",
  "transforms",
  "user",
  "verbosity",
  "web_search_options",
];

/** Shorter names are near to too many others. */
const SHORTEST = 5;

/** The well-known param that a name was probably meant to be; undefined where it is one, or like none. */
export function meantParam(name: string): string | undefined {
  return KNOWN.includes(name) || name.length < SHORTEST ? undefined : nearest(name, KNOWN);
}
