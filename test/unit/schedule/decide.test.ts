import { describe, expect, it } from "vitest";

import {
  decide,
  entriesOf,
  GRACE_MS,
  nextDue,
  type Plan,
  type Situation,
} from "../../../src/schedule/decide.ts";
import { fireTimes } from "../../../src/schedule/fire-times.ts";
import { recordOf, type TickEntry } from "../../../src/schedule/record.ts";

const at = (time: string): number => Date.parse(`2026-01-${time}:00Z`);
const iso = (ms: number): string => new Date(ms).toISOString();

/** Every night at two. */
function aPlan(changes: Partial<Plan> = {}): Plan {
  return {
    times: fireTimes("0 2 * * *", "UTC"),
    overlap: "skip",
    catchUp: "none",
    jitterOf: () => 0,
    ...changes,
  };
}

const FIRST: TickEntry = {
  kind: "seen",
  at: iso(at("01T12:00")),
  since: iso(at("01T12:00")),
  cron: "0 2 * * *",
  tz: "UTC",
};

function aSituation(now: string, changes: Partial<Situation> = {}): Situation {
  return { now: at(now), isBusy: false, abandoned: [], ...changes };
}

/** Decides, notes it, and goes on from there. */
class Night {
  readonly lines: TickEntry[] = [FIRST];
  readonly plan: Plan;

  constructor(changes: Partial<Plan> = {}) {
    this.plan = aPlan(changes);
  }

  look(now: string, changes: Partial<Situation> = {}) {
    const decision = decide(this.plan, recordOf(this.lines), aSituation(now, changes));
    this.lines.push(...entriesOf(decision, at(now), "s"));
    const { fire, wait, replaces, skipped } = decision;
    return {
      fire: fire === null ? null : iso(fire).slice(8, 16),
      ...(wait !== null && { wait: iso(wait).slice(8, 16) }),
      ...(replaces && { replaces }),
      skipped: skipped.map(({ from, to, count, reason }) =>
        [from.slice(8, 10), to.slice(8, 10), count, reason].join(" "),
      ),
    };
  }
}

describe("a tick", () => {
  it("fires when it is due, once", () => {
    const night = new Night();
    expect(night.look("02T01:59")).toEqual({ fire: null, skipped: [] });
    expect(night.look("02T02:00")).toEqual({ fire: "02T02:00", skipped: [] });
    expect(night.look("02T02:00")).toEqual({ fire: null, skipped: [] });
    expect(night.look("03T02:00")).toEqual({ fire: "03T02:00", skipped: [] });
  });

  it("is on time for a minute, so that a scheduler may be restarted", () => {
    expect(new Night().look("02T02:01").fire).toBe("02T02:00");
    expect(GRACE_MS).toBe(60_000);
    expect(new Night().look("02T02:02").fire).toBe(null);
  });

  it("fires later by its jitter, and not before", () => {
    const night = new Night({ jitterOf: () => 5 * 60_000 });
    expect(nextDue(night.plan, recordOf(night.lines))).toBe(at("02T02:05"));
    expect(night.look("02T02:04").fire).toBe(null);
    expect(night.look("02T02:05").fire).toBe("02T02:00");
  });
});

describe("what was missed", () => {
  it("is told, and left out where catch_up is none", () => {
    expect(new Night().look("05T12:00")).toEqual({ fire: null, skipped: ["02 05 4 missed"] });
  });

  it("is made up for by one run where catch_up is once: that of the last tick", () => {
    expect(new Night({ catchUp: "once" }).look("05T12:00")).toEqual({
      fire: "05T02:00",
      skipped: ["02 04 3 made_up"],
    });
  });

  it("does not keep the tick from firing that is on time", () => {
    expect(new Night().look("05T02:00")).toEqual({
      fire: "05T02:00",
      skipped: ["02 04 3 missed"],
    });
  });

  it("is told without a count where it is too much to count", () => {
    const night = new Night({ times: fireTimes("* * * * * *", "UTC"), catchUp: "once" });
    expect(night.look("20T12:00")).toEqual({
      fire: "20T12:00",
      skipped: [expect.stringMatching(/^01 20  made_up$/)],
    });
  });
});

describe("while the former run goes on", () => {
  const isBusy = true;

  it("the next is left out, and told", () => {
    const night = new Night();
    night.look("02T02:00");
    expect(night.look("03T02:00", { isBusy })).toEqual({
      fire: null,
      skipped: ["03 03 1 overlap"],
    });
    expect(night.look("03T02:30").fire).toBe(null);
  });

  it("the next waits where overlap is queue, and fires after it; more than one do not wait", () => {
    const night = new Night({ overlap: "queue" });
    night.look("02T02:00");
    expect(night.look("03T02:00", { isBusy })).toEqual({
      fire: null,
      wait: "03T02:00",
      skipped: [],
    });
    expect(night.look("04T02:00", { isBusy })).toEqual({
      fire: null,
      skipped: ["04 04 1 overlap"],
    });
    expect(night.look("04T05:00").fire).toBe("03T02:00");
    expect(night.look("04T05:01").fire).toBe(null);
  });

  it("one that waits fires before one that is due, which waits then", () => {
    const night = new Night({ overlap: "queue" });
    night.look("02T02:00");
    night.look("03T02:00", { isBusy });
    expect(night.look("04T02:00")).toEqual({ fire: "03T02:00", wait: "04T02:00", skipped: [] });
    expect(night.look("04T03:00").fire).toBe("04T02:00");
  });

  it("it is stopped for the next where overlap is replace", () => {
    const night = new Night({ overlap: "replace" });
    night.look("02T02:00");
    expect(night.look("03T02:00", { isBusy })).toEqual({
      fire: "03T02:00",
      replaces: true,
      skipped: [],
    });
  });
});

describe("a tick whose scheduler died before its run began", () => {
  it("fires again while it is on time", () => {
    const night = new Night();
    night.look("02T02:00");
    const abandoned = [at("02T02:00")];
    expect(night.look("02T02:01", { abandoned }).fire).toBe("02T02:00");
  });

  it("is missed like any other when it is late", () => {
    const night = new Night();
    night.look("02T02:00");
    const abandoned = [at("02T02:00")];
    expect(night.look("02T09:00", { abandoned }).skipped).toEqual(["02 02 1 missed"]);
    expect(recordOf(night.lines).open).toEqual([]);
  });

  it("is made up for by a later one that is due", () => {
    const night = new Night({ catchUp: "once" });
    night.look("02T02:00");
    const abandoned = [at("02T02:00")];
    expect(night.look("03T02:00", { abandoned })).toEqual({
      fire: "03T02:00",
      skipped: ["02 02 1 made_up"],
    });
  });
});

describe("a clock that is set back", () => {
  it("fires nothing twice", () => {
    const night = new Night();
    night.look("02T02:00");
    expect(night.look("02T01:30").fire).toBe(null);
    expect(night.look("02T02:00").fire).toBe(null);
    expect(night.look("03T02:00").fire).toBe("03T02:00");
  });

  it("from a year ahead does not leave out the nights of that year", () => {
    const night = new Night({ catchUp: "once" });
    const ahead = Date.parse("2027-01-01T00:00:00Z");
    const decision = decide(night.plan, recordOf(night.lines), {
      ...aSituation("02T00:00"),
      now: ahead,
    });
    night.lines.push(...entriesOf(decision, ahead, "s"));
    expect(decision.skipped).toMatchObject([{ count: 363, reason: "made_up" }]);
    night.look("02T00:30");
    expect(night.look("02T02:00").fire).toBe("02T02:00");
    expect(night.look("03T02:00").fire).toBe("03T02:00");
  });
});
