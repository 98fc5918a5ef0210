import { describe, expect, test } from "vitest";

import { takeUp } from "../../../src/run/elsewhere.ts";

const LOOKS = ["the queue", "hands", "what was sent"] as const;

/** An item that a worker has in hand, and answers while the owner looks around. */
function aRun({ isForgotten, sentAt }: { isForgotten: boolean; sentAt: (typeof LOOKS)[number] }) {
  const active = new Set(isForgotten ? [] : [0]);
  const hands = new Set([0]);
  const sent = new Set<number>();
  const recorded = new Set<number>();
  /** What is seen is how it was before. */
  const look = <T>(at: (typeof LOOKS)[number], seen: T): T => {
    if (at === sentAt) {
      sent.add(0);
      active.delete(0);
      hands.delete(0);
    }
    return seen;
  };
  return {
    recorded,
    queue: { tidy: async () => look("the queue", [...active]) },
    elsewhere: {
      claimed: async () => look("hands", new Set(hands)),
      caughtUp: async () => {
        for (const index of look("what was sent", [...sent])) recorded.add(index);
      },
    },
  };
}

describe("taking up what an earlier sitting left", () => {
  for (const isForgotten of [false, true]) {
    test.each(LOOKS)(
      `loses sight of no item${isForgotten ? " that Redis has forgotten" : ""}: sent at the look for %s`,
      async (sentAt) => {
        const { queue, elsewhere, recorded } = aRun({ isForgotten, sentAt });
        const inHand = await takeUp(queue, elsewhere, new AbortController().signal);
        expect(inHand.has(0) || recorded.has(0)).toBe(true);
      },
    );
  }
});
