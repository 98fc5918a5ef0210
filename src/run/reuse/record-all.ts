import type { Outcome } from "../../outcome.ts";
import { startProgress } from "../progress.ts";
import { tellOutcome } from "../tell-outcome.ts";
import type { WorkParts } from "../work-parts.ts";

/** Lines that are on their way to the disk at once: they share a sync. */
const GROUP_LINES = 250;
const GROUP_CHARACTERS = 2 * 1024 * 1024;

/** Records outcomes that took no call. */
export async function recordAll(outcomes: AsyncIterable<Outcome>, parts: WorkParts): Promise<void> {
  let recording: Promise<void>[] = [];
  let characters = 0;
  const settle = async (): Promise<void> => {
    const group = recording;
    recording = [];
    characters = 0;
    await Promise.all(group);
  };
  const record = async (outcome: Outcome): Promise<void> => {
    await parts.ledger.record(outcome);
    tellOutcome(parts, outcome);
  };
  const progress = startProgress({
    ...parts,
    governor: NOTHING_CALLED,
    hold: NOT_HELD,
    presence: null,
    stop: () => {},
    stopping: parts.scene.order.signal,
  });
  try {
    for await (const outcome of outcomes) {
      recording.push(record(outcome));
      characters += outcome.response?.body.length ?? 0;
      if (recording.length >= GROUP_LINES || characters >= GROUP_CHARACTERS) await settle();
    }
    await settle();
  } finally {
    await Promise.allSettled(recording);
    progress.stop();
  }
}

const NOT_HELD = { isOn: false };
const NOTHING_CALLED = {
  inFlight: 0,
  holdup: { kind: "nothing" },
  awayMs: null,
  lastMessage: "",
} as const;
