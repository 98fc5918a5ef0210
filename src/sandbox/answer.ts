import { UsageError } from "../errors.ts";
import type { ChatRequest } from "./chat-request.ts";
import { hash32 } from "./hash.ts";
import { jsonFor } from "./json-answer.ts";

/**
 * What the model of the sandbox says:
 * `echo` repeats the last user message, so that every answer can be paired with its prompt;
 * `label` picks one of a few words; `json` fills the schema in `response_format`;
 * `lorem` says a given number of words.
 */
export type AnswerTemplate =
  | { readonly kind: "echo" }
  | { readonly kind: "label"; readonly labels: readonly string[] }
  | { readonly kind: "json" }
  | { readonly kind: "lorem"; readonly words: number };

/** Reads `echo`, `label`, `label:yes,no`, `json` or `lorem:200`. */
export function parseAnswerTemplate(text: string): AnswerTemplate {
  const [kind, argument] = splitOnce(text, ":");
  if (kind === "echo" && argument === "") return { kind };
  if (kind === "json" && argument === "") return { kind };
  if (kind === "label") {
    return { kind, labels: argument === "" ? SENTIMENTS : argument.split(",") };
  }
  if (kind === "lorem" && /^[1-9]\d*$/.test(argument)) return { kind, words: Number(argument) };
  throw new UsageError(
    `Unknown answer template \`${text}\`: use echo, label:<a>,<b>, json or lorem:<words>.`,
  );
}

/** The answer's text: a pure function of seed, model and messages. */
export function answerTo(request: ChatRequest, template: AnswerTemplate, seed: number): string {
  if (template.kind === "echo") return `echo: ${request.lastUserText}`;
  const chosen = hash32(seed, request.model + JSON.stringify(request.messages));
  if (template.kind === "label") return template.labels[chosen % template.labels.length] ?? "";
  if (template.kind === "lorem") return lorem(template.words, chosen);
  return JSON.stringify(jsonFor(request.schema, chosen));
}

const SENTIMENTS = ["positive", "negative", "neutral"];

const LOREM = (
  "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor " +
  "incididunt ut labore et dolore magna aliqua"
).split(" ");

function lorem(words: number, start: number): string {
  const said: string[] = [];
  for (let index = 0; index < words; index += 1) {
    said.push(LOREM[(start + index) % LOREM.length] ?? "");
  }
  return said.join(" ");
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
