import type { Written } from "../../ledger/ledger.ts";
import type { Outcome } from "../../outcome.ts";
import { startProgress } from "../progress.ts";
import { tellOutcome } from "../tell-outcome.ts";
import type { WorkParts } from "../work-parts.ts";

/** Lines that are on their way to the disk at once: they share a sync, and memory until it is done. */
const GROUP_LINES = 64;
const GROUP_CHARACTERS = 1024 * 1024;

/**
 * Records outcomes that took no call.
 *
 * @param outcomes in batches; each is made only when the one before it has been written.
 */
export async function recordAll(
  outcomes: AsyncIterable<Iterable<Outcome>>,
  parts: WorkParts,
): Promise<void> {
  const { ledger } = parts;
  let written: Written[] = [];
  let superseding: Promise<void>[] = [];
  let characters = 0;
  const settle = async (): Promise<void> => {
    const [group, others] = [written, superseding];
    written = [];
    superseding = [];
    characters = 0;
    await Promise.all([ledger.count(group), ...others]);
    for (const { ending } of group) tellOutcome(parts, ending);
  };
  const supersede = async (outcome: Outcome): Promise<void> => {
    await ledger.record(outcome);
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
    for await (const batch of outcomes) {
      for (const outcome of batch) {
        if (ledger.items.state(outcome.index) === "pending") written.push(ledger.write(outcome));
        else {
          const superseded = supersede(outcome);
          // It is told when the group is settled.
          superseded.catch(() => undefined);
          superseding.push(superseded);
        }
        characters += outcome.response?.body.length ?? 0;
        const lines = written.length + superseding.length;
        if (lines >= GROUP_LINES || characters >= GROUP_CHARACTERS) await settle();
      }
    }
  } finally {
    await settle().finally(() => progress.stop());
  }
}

const NOT_HELD = { isOn: false };
const NOTHING_CALLED = {
  inFlight: 0,
  holdup: { kind: "nothing" },
  awayMs: null,
  lastMessage: "",
} as const;
