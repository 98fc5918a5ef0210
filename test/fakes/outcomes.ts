import type { Item } from "../../src/item.ts";
import type { Outcome } from "../../src/outcome.ts";

export function anItem(index: number): Item {
  return { index, customId: `row-${index}`, model: "gpt-4o-mini", body: `{"n":${index}}` };
}

/** An item's outcome; the text tells several of one item apart. */
export function anOutcome(index: number, text = "ok"): Outcome {
  return {
    kind: "completed",
    index,
    customId: `row-${index}`,
    attempts: 1,
    ms: 1,
    possiblyBilled: 0,
    retries: {},
    summary: { model: "gpt-4o-mini", finishReason: "stop", usage: null },
    response: { status: 200, requestId: null, body: JSON.stringify(text) },
  };
}
