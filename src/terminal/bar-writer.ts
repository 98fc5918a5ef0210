import { createLogUpdate } from "log-update";

import { type ProgressView, renderProgress } from "./progress-bar.ts";
import type { ProgressWriter, ProgressWriterOptions } from "./progress-writer.ts";
import { manyLines } from "./screen-text.ts";

const PAINT_EVERY_MS = 125;
const USUAL_COLUMNS = 80;

/** A live bar on a terminal. */
export function createBarWriter({ stream, clock, color }: ProgressWriterOptions): ProgressWriter {
  // It only writes, and looks at isTTY, columns and rows. The cursor stays visible below the bar:
  // a process that is killed leaves the terminal as it was.
  const screen = createLogUpdate(stream as NodeJS.WritableStream, { showCursor: true });
  let latest: ProgressView | null = null;
  let nextAt = -Infinity;
  let isDone = false;
  const paint = (): void => {
    if (latest === null || isDone) return;
    // A full last column makes some terminals break the line.
    const width = (stream.columns ?? USUAL_COLUMNS) - 1;
    screen(renderProgress(latest, { width, color }).join("\n"));
    nextAt = clock.monotonic() + PAINT_EVERY_MS;
  };
  return {
    update: (progress) => {
      latest = progress;
      if (clock.monotonic() >= nextAt) paint();
    },
    note: (message) => {
      screen.persist(manyLines(message));
      paint();
    },
    done: () => {
      if (isDone) return;
      isDone = true;
      screen.clear();
      screen.done();
    },
  };
}
