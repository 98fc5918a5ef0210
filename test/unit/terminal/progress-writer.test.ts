import { describe, expect, it } from "vitest";

import {
  createProgressWriter,
  type ProgressWriter,
} from "../../../src/terminal/progress-writer.ts";
import { FakeClock } from "../../fakes/fake-clock.ts";
import { FakeTerminal } from "../../fakes/fake-terminal.ts";
import { aProgress } from "./views.ts";

interface Scene {
  readonly writer: ProgressWriter;
  readonly clock: FakeClock;
  readonly written: string[];
}

async function aScene(options: {
  isTTY?: boolean;
  columns?: number;
  quiet?: boolean;
}): Promise<Scene> {
  const { quiet = false, ...terminal } = options;
  const written: string[] = [];
  const clock = new FakeClock();
  const stream = { ...terminal, write: (text: string) => written.push(text) };
  return {
    writer: await createProgressWriter({ stream, clock, color: false, quiet }),
    clock,
    written,
  };
}

function onTerminal(): Promise<Scene> {
  return aScene({ isTTY: true, columns: 100 });
}

const HIDE_CURSOR = "\u001B[?25l";
const ERASE_LINE = "\u001B[2K";

describe("on a terminal", () => {
  it("paints the bar at the first update", async () => {
    const { writer, written } = await onTerminal();
    writer.update(aProgress());
    expect(written.join("")).toContain("5,214/10,000");
  });

  it("paints no more than eight times a second", async () => {
    const { writer, clock, written } = await onTerminal();
    for (let completed = 0; completed < 100; completed += 1) {
      writer.update(aProgress({ completed }));
      await clock.advance(10);
    }
    expect(written).toHaveLength(8);
  });

  it("keeps to the columns that the terminal has now", async () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 100, write: (text: string) => written.push(text) };
    const clock = new FakeClock();
    const writer = await createProgressWriter({ stream, clock, color: false, quiet: false });
    writer.update(aProgress());
    stream.columns = 41;
    await clock.advance(200);
    writer.update(aProgress());
    expect(written.at(-1)).toContain("━━━━━─────  52%  5,214/10,000  12 failed\n");
  });

  it("puts a note above the bar and the bar below it again", async () => {
    const { writer, written } = await onTerminal();
    writer.update(aProgress());
    const before = written.length;
    writer.note("warning: a column is empty");
    const after = written.slice(before).join("");
    expect(after).toMatch(/warning: a column is empty\n[^]*5,214\/10,000/);
  });

  it.each([60, 100])(
    "keeps what it notes after a Ctrl-C, once, and leaves nothing else: %i columns",
    async (columns) => {
      const terminal = new FakeTerminal(columns);
      const clock = new FakeClock();
      const writer = await createProgressWriter({
        stream: terminal,
        clock,
        color: false,
        quiet: false,
      });
      const limited = "rate limit: 60 requests/min";
      writer.update(aProgress({ limited_by: limited }));
      terminal.write("^C");
      writer.note("stopping: once more stops at once");
      for (let ended = 1; ended < 4; ended += 1) {
        await clock.advance(250);
        writer.update(aProgress({ completed: 5_202 + ended, in_flight: 4 - ended }));
      }
      expect(terminal.lines.filter((line) => line.includes("/10,000"))).toHaveLength(1);
      writer.done();
      terminal.write("paused\n");
      expect(terminal.lines).toEqual(["stopping: once more stops at once", "paused"]);
    },
  );

  it("takes the bar away when it is done", async () => {
    const { writer, written } = await onTerminal();
    writer.update(aProgress());
    writer.done();
    // Two lines of the bar, and the one on which the cursor stands.
    expect(written.at(-1)?.split(ERASE_LINE)).toHaveLength(4);
  });

  it("never hides the cursor, so that no kill can leave it hidden", async () => {
    const { writer, written } = await onTerminal();
    writer.update(aProgress());
    writer.note("note");
    writer.done();
    expect(written.join("")).not.toContain(HIDE_CURSOR);
  });

  it("is silent after it is done", async () => {
    const { writer, clock, written } = await onTerminal();
    writer.update(aProgress());
    writer.done();
    const { length } = written;
    await clock.advance(1_000);
    writer.update(aProgress({ completed: 9_000 }));
    writer.done();
    expect(written).toHaveLength(length);
  });

  it("still writes a note after it is done, without the bar", async () => {
    const { writer, written } = await onTerminal();
    writer.update(aProgress());
    writer.done();
    const { length } = written;
    writer.note("one more thing");
    expect(written.slice(length).join("")).toContain("one more thing\n");
  });

  it("falls back to lines where the terminal has no width", async () => {
    const { writer, written } = await aScene({ isTTY: true, columns: 0 });
    writer.update(aProgress());
    expect(written).toEqual([]);
  });
});

describe("elsewhere", () => {
  it("writes a line every ten seconds", async () => {
    const { writer, clock, written } = await aScene({});
    for (let at = 0; at <= 25_000; at += 250) {
      writer.update(aProgress());
      await clock.advance(250);
    }
    expect(written).toEqual([
      expect.stringMatching(/^5,214\/10,000 \(52%\).*\n$/),
      expect.stringMatching(/^5,214\/10,000 \(52%\).*\n$/),
    ]);
  });

  it("writes nothing for a run that ends within ten seconds", async () => {
    const { writer, clock, written } = await aScene({});
    writer.update(aProgress());
    await clock.advance(9_000);
    writer.update(aProgress());
    writer.done();
    expect(written).toEqual([]);
  });

  it("writes a note at once", async () => {
    const { writer, written } = await aScene({});
    writer.note("warning: a column\u001B[2J is empty");
    expect(written).toEqual(["warning: a column is empty\n"]);
  });

  it("writes no progress after it is done", async () => {
    const { writer, clock, written } = await aScene({});
    writer.update(aProgress());
    writer.done();
    await clock.advance(20_000);
    writer.update(aProgress());
    expect(written).toEqual([]);
  });
});

describe("when quiet", () => {
  it("shows no progress, even on a terminal", async () => {
    const { writer, clock, written } = await aScene({ isTTY: true, columns: 100, quiet: true });
    writer.update(aProgress());
    await clock.advance(20_000);
    writer.update(aProgress());
    writer.done();
    expect(written).toEqual([]);
  });

  it("still writes notes", async () => {
    const { writer, written } = await aScene({ isTTY: true, columns: 100, quiet: true });
    writer.note("warning: a column is empty");
    expect(written).toEqual(["warning: a column is empty\n"]);
  });
});
