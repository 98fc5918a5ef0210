import { describe, expect, it, vi } from "vitest";

import { UsageError } from "../../../../src/errors.ts";
import type { TickClaims } from "../../../../src/run/scheduler/claims.ts";
import { TickBook } from "../../../../src/run/scheduler/tick-book.ts";
import { aWorkspace } from "../jobs.ts";
import { Followed, SetClock } from "./followed.ts";

async function until(isSo: () => boolean): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 5_000, interval: 5 });
}

describe("a followed job", () => {
  it("runs at its time, and once", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const followed = await Followed.start(workspace, clock);
    expect(await followed.schedule.look()).toBe(Date.parse("2026-01-02T02:00:00Z"));
    clock.shows = "02T02:00";
    await followed.schedule.look();
    await until(() => followed.runs.length === 1);
    await followed.schedule.look();
    await followed.runs[0]?.end();
    await followed.schedule.look();
    expect(followed.ticks).toEqual(["02T02:00"]);
    expect(followed.told).toEqual(["fired", "finished 02T02:00"]);
    await followed.stop();
  });

  it("that was refused is told with the reason, and tried again the next night only", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const refusal = new UsageError("inbox/*.csv: no file matches");
    const followed = await Followed.start(workspace, clock, { refusal });
    await followed.schedule.look();
    clock.shows = "02T02:00";
    await followed.schedule.look();
    await until(() => followed.told.length === 1 && followed.schedule.running === 0);
    await followed.schedule.look();
    expect(followed.told).toEqual(["skipped 02T02:00 refused: inbox/*.csv: no file matches"]);
    await followed.stop();
  });

  it("that was missed is known to a scheduler that starts again, and to one whose book was lost", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const first = await Followed.start(workspace, clock);
    await first.schedule.look();
    clock.shows = "02T02:00";
    await first.schedule.look();
    await until(() => first.runs.length === 1);
    await first.runs[0]?.end();
    await first.stop();

    clock.shows = "04T12:00";
    const second = await Followed.start(workspace, clock);
    await second.schedule.look();
    expect(second.told).toEqual(["skipped 04T02:00 missed: no scheduler was running"]);
    await second.stop();

    const book = new TickBook(workspace.path, "nightly", clock);
    const skips = (await book.read()).filter(({ kind }) => kind === "skipped");
    expect(skips).toMatchObject([{ from: "2026-01-03T02:00:00.000Z", count: 2 }]);
  });
});

describe("an overlap", () => {
  it("is told where it is skipped", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const followed = await Followed.start(workspace, clock);
    await followed.schedule.look();
    for (const night of ["02T02:00", "03T02:00"]) {
      clock.shows = night;
      await followed.schedule.look();
      await until(() => followed.runs.length === 1);
    }
    expect(followed.told.at(-1)).toBe("skipped 03T02:00 overlap: the former run is still going on");
    await followed.stop();
  });

  it("waits for the end of the former where it is queued", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const followed = await Followed.start(workspace, clock, { overlap: "queue" });
    await followed.schedule.look();
    for (const night of ["02T02:00", "03T02:00", "04T02:00"]) {
      clock.shows = night;
      await followed.schedule.look();
      await until(() => followed.runs.length === 1);
    }
    await followed.runs[0]?.end();
    await followed.schedule.look();
    await until(() => followed.runs.length === 2);
    expect(followed.ticks).toEqual(["02T02:00", "03T02:00"]);
    expect(followed.told.filter((text) => text.startsWith("skipped 04"))).toHaveLength(1);
    await followed.stop();
  });

  it("stops the former where it is replaced, also one of another scheduler, and never continues it", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const [a, b] = [
      await Followed.start(workspace, clock, { name: "a", overlap: "replace" }),
      await Followed.start(workspace, clock, { name: "b", overlap: "replace" }),
    ];
    await a.schedule.look();
    clock.shows = "02T02:00";
    await a.schedule.look();
    await until(() => a.runs.length === 1);
    clock.shows = "03T02:00";
    await b.schedule.look();
    expect(b.runs).toEqual([]);
    await a.schedule.look();
    await until(() => b.runs.length === 1);
    expect(a.told).toContain("cancelled 02T02:00");
    await b.runs[0]?.end();
    clock.shows = "04T02:00";
    await a.schedule.look();
    await until(() => a.runs.length === 2);
    expect([...a.ticks, ...b.ticks]).toEqual(["02T02:00", "04T02:00", "03T02:00"]);
    await Promise.all([a.stop(), b.stop()]);
  });
});

describe("two schedulers of the same runs", () => {
  it("fire each tick once, whoever comes first", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const [a, b] = [
      await Followed.start(workspace, clock, { name: "a" }),
      await Followed.start(workspace, clock, { name: "b" }),
    ];
    await Promise.all([a.schedule.look(), b.schedule.look()]);
    const nights = ["02", "03", "04", "05", "06"].map((day) => `${day}T02:00`);
    for (const [number, night] of nights.entries()) {
      clock.shows = night;
      await Promise.all([a.schedule.look(), b.schedule.look()]);
      await until(() => a.runs.length + b.runs.length === number + 1);
      await [...a.runs, ...b.runs].find(({ tick }) => tick === night)?.end();
      await Promise.all([a.schedule.look(), b.schedule.look()]);
    }
    expect([...a.ticks, ...b.ticks].sort()).toEqual(nights);
    expect([...a.told, ...b.told].filter((text) => text.startsWith("skipped"))).toEqual([]);
    await Promise.all([a.stop(), b.stop()]);
  });

  it("take over from one another: a run that died is gone on with at once", async () => {
    await using workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const a = await Followed.start(workspace, clock, { name: "a" });
    const b = await Followed.start(workspace, clock, { name: "b" });
    await a.schedule.look();
    clock.shows = "02T02:00";
    await a.schedule.look();
    await until(() => a.runs.length === 1);
    await a.die();
    await b.schedule.look();
    await b.schedule.look();
    await until(() => b.runs.length === 1);
    expect(b.ticks).toEqual(["02T02:00 again"]);
    expect(b.runs[0]?.directory).toBe(a.runs[0]?.directory);
    await b.stop();
  });
});

describe("a run that stopped half-way", () => {
  async function paused(unfinished: "continue" | "leave", state: "paused" | "stopped") {
    const workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const first = await Followed.start(workspace, clock, { unfinished });
    await first.schedule.look();
    clock.shows = "02T02:00";
    await first.schedule.look();
    await until(() => first.runs.length === 1);
    if (state === "paused") await first.runs[0]?.end("paused");
    await first.stop();
    const second = await Followed.start(workspace, clock, { unfinished });
    await second.schedule.look();
    return { workspace, clock, second };
  }

  it("by a SIGTERM is gone on with when a scheduler starts", async () => {
    const { workspace, second } = await paused("continue", "stopped");
    await using _workspace = workspace;
    await until(() => second.runs.length === 1);
    expect(second.ticks).toEqual(["02T02:00 again"]);
    await second.stop();
  });

  it("for somebody to see to is continued before the next firing", async () => {
    const { workspace, clock, second } = await paused("continue", "paused");
    await using _workspace = workspace;
    expect(second.runs).toEqual([]);
    clock.shows = "03T02:00";
    await second.schedule.look();
    await until(() => second.runs.length === 1);
    await second.runs[0]?.end();
    await until(() => second.runs.length === 2);
    expect(second.ticks).toEqual(["02T02:00 again", "03T02:00"]);
    await second.stop();
  });

  it("is left and told once where it is to be left", async () => {
    const { workspace, clock, second } = await paused("leave", "paused");
    await using _workspace = workspace;
    for (const night of ["03T02:00", "04T02:00"]) {
      clock.shows = night;
      await second.schedule.look();
      await until(() => second.schedule.running === 1);
      await until(() => second.runs.at(-1)?.tick === night);
      await second.runs.at(-1)?.end();
    }
    expect(second.ticks).toEqual(["03T02:00", "04T02:00"]);
    expect(second.told.filter((text) => text.startsWith("left"))).toEqual([
      "left: it stopped half-way",
    ]);
    await second.stop();
  });
});

describe("with schedulers on other machines", () => {
  function claims(changes: Partial<TickClaims>): TickClaims {
    return {
      claim: () => Promise.resolve(null),
      taken: () => Promise.resolve(new Map()),
      confirm: () => Promise.resolve(),
      hold: () => Promise.resolve(),
      release: () => Promise.resolve(),
      isHeldElsewhere: () => Promise.resolve(false),
      close: () => Promise.resolve(),
      ...changes,
    };
  }

  async function look(changes: Partial<TickClaims>, times = 1) {
    const workspace = await aWorkspace();
    const clock = new SetClock("01T12:00");
    const followed = await Followed.start(workspace, clock, { claims: claims(changes) });
    await followed.schedule.look();
    clock.shows = "02T02:00";
    for (let time = 0; time < times; time += 1) await followed.schedule.look();
    await new Promise((soon) => setTimeout(soon, 50));
    return { workspace, followed };
  }

  it("a tick that one of them runs is told, and not run here", async () => {
    const other = { by: "host-b", isConfirmed: true };
    const { workspace, followed } = await look({ claim: () => Promise.resolve(other) });
    await using _workspace = workspace;
    expect([followed.ticks, followed.told]).toEqual([[], ["elsewhere 02T02:00 host-b"]]);
    await followed.stop();
  });

  it("a tick that one of them claimed and did not begin is run here once its claim has expired", async () => {
    let asked = 0;
    const claim: TickClaims["claim"] = () =>
      Promise.resolve(++asked < 3 ? { by: "host-b", isConfirmed: false } : null);
    const { workspace, followed } = await look({ claim }, 4);
    await using _workspace = workspace;
    expect([followed.ticks, asked]).toEqual([["02T02:00"], 3]);
    await followed.stop();
  });

  it("a job that one of them runs overlaps here too, unless that is the tick itself", async () => {
    const isHeldElsewhere = (): Promise<boolean> => Promise.resolve(true);
    const { workspace, followed } = await look({ isHeldElsewhere });
    await using _workspace = workspace;
    expect(followed.told).toEqual([expect.stringContaining("skipped 02T02:00 overlap")]);
    await followed.stop();

    const taken: TickClaims["taken"] = (_job, [tick = 0]) =>
      Promise.resolve(new Map([[tick, { by: "host-b", isConfirmed: true }]]));
    const { workspace: second, followed: other } = await look({ isHeldElsewhere, taken });
    await using _second = second;
    expect(other.told).toEqual(["elsewhere 02T02:00 host-b"]);
    await other.stop();
  });
});
