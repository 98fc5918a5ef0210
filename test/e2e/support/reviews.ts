import type { Line } from "./run-directory.ts";

/** A CSV of numbered reviews, each unlike any other. */
export function reviewsCsv(count: number, note: (index: number) => string = () => ""): string {
  const rows = Array.from(
    { length: count },
    (_, index) => `r${index},${reviewText(index)}${note(index)}\n`,
  );
  return `review_id,text\n${rows.join("")}`;
}

export function reviewText(index: number): string {
  return `Review number ${index}: it does what it should`;
}

/** A job over {@link reviewsCsv}; `fields` are further lines of YAML. */
export function reviewsJob(...fields: string[]): string {
  return [
    "input: reviews.csv",
    "model: gpt-4o-mini",
    "messages:",
    "  - { role: system, content: You are a professional AI assistant. }",
    '  - { role: user, content: "Classify: {{ text }}" }',
    'id: "{{ review_id }}"',
    ...fields,
    "",
  ].join("\n");
}

/** What the sandbox, which echoes the prompt, answers to a review. */
export function answerTo(index: number, note = ""): string {
  return `echo: Classify: ${reviewText(index)}${note}`;
}

/** The lines whose answer or id belongs to another item: none, when all is well. */
export function mispaired(
  lines: readonly Line[],
  note: (index: number) => string = () => "",
): Line[] {
  return lines.filter(
    ({ index, custom_id: id, completion }) =>
      id !== `r${index}` || completion !== answerTo(index, note(index)),
  );
}
