import { describe, expect, it } from "vitest";

import { decide, entriesOf, nextDue, type Plan } from "../../../src/schedule/decide.ts";
import { fireTimes } from "../../../src/schedule/fire-times.ts";
import { compacted, recordOf, type TickEntry } from "../../../src/schedule/record.ts";
import { seededRandom } from "../../../src/system/random.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NIGHTS = 1_000;
const START = Date.parse("2026-03-01T12:00:00Z");
const KEPT_LINES = 40;
/** It only computes, for a second or so; a busy machine takes longer. */
const PATIENCE_MS = 60_000;

/** One process that follows the schedule; its clock may be wrong. */
interface Scheduler {
  name: string;
  lives: number;
  clockError: number;
  wakesAt: number;
}

interface Run {
  readonly tick: number;
  readonly endsAt: number;
}

/**
 * Two schedulers with one record, over many nights: processes die at any point, machines sleep,
 * clocks jump, runs take longer than a day. Each step is what a scheduler does under the lock.
 */
function simulate(plan: Plan, seed: number, nights: number) {
  const random = seededRandom(seed);
  const chance = (share: number): boolean => random() < share;
  const end = START + nights * DAY;
  let lines: TickEntry[] = [
    {
      kind: "seen",
      at: new Date(START).toISOString(),
      since: new Date(START).toISOString(),
      cron: "",
      tz: null,
    },
  ];
  const history: TickEntry[] = [];
  const fired = new Map<number, number>();
  const alive = new Set<string>();
  const runs = new Map<string, Run>();
  let deaths = 0;
  let sleeps = 0;
  const born = (scheduler: Scheduler): void => {
    scheduler.lives += 1;
    alive.add(`${scheduler.name}${scheduler.lives}`);
  };
  const schedulers: Scheduler[] = ["a", "b"].map((name) => {
    const scheduler = { name, lives: 0, clockError: 0, wakesAt: START };
    born(scheduler);
    return scheduler;
  });
  const note = (entries: readonly TickEntry[]): void => {
    history.push(...entries);
    lines = compacted([...lines, ...entries], KEPT_LINES);
  };

  for (;;) {
    const scheduler = schedulers.reduce((a, b) => (a.wakesAt <= b.wakesAt ? a : b));
    const real = scheduler.wakesAt;
    if (real > end) break;
    const id = (): string => `${scheduler.name}${scheduler.lives}`;
    const die = (): void => {
      deaths += 1;
      alive.delete(id());
      born(scheduler);
      scheduler.wakesAt = real + random() * (chance(0.2) ? 5 * DAY : 5 * MINUTE);
    };
    if (chance(0.01)) scheduler.clockError = (random() - 0.5) * 4 * HOUR;
    else if (chance(0.05)) scheduler.clockError = 0;
    const now = real + scheduler.clockError;
    const at = new Date(now).toISOString();
    // Runs end when their time has come, or with their process.
    for (const [by, run] of runs) {
      if (run.endsAt > real && alive.has(by)) continue;
      runs.delete(by);
      note([{ kind: "ended", at, tick: new Date(run.tick).toISOString(), result: "finished" }]);
    }
    const record = recordOf(lines);
    const abandoned = record.open
      .filter(({ by, directory }) => directory === null && !alive.has(by))
      .map(({ tick }) => tick);
    const isBusy = record.open.some(({ by }) => alive.has(by));
    const decision = decide(plan, record, { now, isBusy, abandoned });
    note(entriesOf(decision, now, id()));
    const { fire, replaces } = decision;
    if (fire !== null) {
      if (replaces) {
        for (const [by, run] of runs) {
          runs.delete(by);
          note([
            { kind: "ended", at, tick: new Date(run.tick).toISOString(), result: "cancelled" },
          ]);
        }
      }
      if (chance(0.05)) {
        die();
        continue;
      }
      fired.set(fire, (fired.get(fire) ?? 0) + 1);
      const tick = new Date(fire).toISOString();
      note([{ kind: "started", at, tick, by: id(), directory: `runs/${fire}` }]);
      runs.set(id(), { tick: fire, endsAt: real + random() * (chance(0.05) ? 40 * HOUR : HOUR) });
    }
    if (chance(0.03)) {
      die();
      continue;
    }
    const due = nextDue(plan, recordOf(lines));
    const nap = due === null ? HOUR : Math.max(1, due - now);
    scheduler.wakesAt = real + Math.min(nap, random() * 9 * HOUR);
    if (chance(0.03)) {
      sleeps += 1;
      scheduler.wakesAt += random() * 3 * DAY;
    }
  }

  const skips = history.flatMap((entry) =>
    entry.kind === "skipped" ? [[Date.parse(entry.from), Date.parse(entry.to)] as const] : [],
  );
  const seen = { due: 0, fired: 0, skipped: 0, twice: 0, silent: 0, deaths, sleeps };
  // What comes due at the very end may still be told.
  const lastAccounted = Math.min(end - 10 * DAY, recordOf(lines).since);
  for (let tick = plan.times.next(START); tick !== null && tick <= lastAccounted;) {
    const times = fired.get(tick) ?? 0;
    const isSkipped = skips.some(([from, to]) => from <= (tick ?? 0) && (tick ?? 0) <= to);
    seen.due += 1;
    if (times > 0) seen.fired += 1;
    else if (isSkipped) seen.skipped += 1;
    else seen.silent += 1;
    if (times > 1) seen.twice += 1;
    tick = plan.times.next(tick);
  }
  return seen;
}

function aPlan(cron: string, zone: string, changes: Partial<Plan> = {}): Plan {
  return {
    times: fireTimes(cron, zone),
    overlap: "skip",
    catchUp: "once",
    jitterOf: () => 0,
    ...changes,
  };
}

describe.each(["Europe/Berlin", "America/New_York", "Asia/Shanghai"])(
  "a thousand nights in %s, two schedulers that die, sleep and have wrong clocks,",
  (zone) => {
    it.each([
      ["30 2 * * *", "skip", "once", 1],
      ["30 2 * * *", "skip", "none", 2],
      ["15 1,2,3 * * *", "queue", "once", 3],
      ["0 2 * * *", "replace", "once", 4],
    ] as const)(
      "%s, overlap %s, catch_up %s",
      (cron, overlap, catchUp, seed) => {
        const plan = aPlan(cron, zone, { overlap, catchUp });
        const seen = simulate(plan, seed, NIGHTS);
        expect(seen).toMatchObject({ twice: 0, silent: 0 });
        // It was no quiet time, and yet most nights ran.
        expect(seen.due).toBeGreaterThan(900);
        expect(seen.deaths).toBeGreaterThan(100);
        expect(seen.sleeps).toBeGreaterThan(50);
        expect(seen.fired).toBeGreaterThan(seen.due / 2);
      },
      PATIENCE_MS,
    );
  },
);
