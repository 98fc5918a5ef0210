import { createLogUpdate } from "log-update";

import { type ProgressView, renderProgress, renderProgressLine } from "./progress-bar.ts";
import { manyLines } from "./screen-text.ts";

/** Where progress is drawn: stderr. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressWriterOptions {
  readonly stream: ProgressStream;
  readonly clock: { monotonic(): number };
  readonly color: boolean;
  /** Draws no progress; notes are still written. */
  readonly quiet: boolean;
}

/** Shows people where a run stands, until it is done. */
export interface ProgressWriter {
  update(progress: ProgressView): void;
  /** Writes a line that stays, above the bar. */
  note(message: string): void;
  /** Takes the bar away: what is written next starts on a clean line. May be called again. */
  done(): void;
}

const PAINT_EVERY_MS = 125;
const LINE_EVERY_MS = 10_000;
const USUAL_COLUMNS = 80;

/** A live bar on a terminal, a line now and then elsewhere. */
export function createProgressWriter(options: ProgressWriterOptions): ProgressWriter {
  const { stream, quiet } = options;
  if (quiet) return createNoteWriter(stream);
  // A terminal that does not know its width yet says 0.
  return stream.isTTY === true && stream.columns !== 0
    ? createBarWriter(options)
    : createLineWriter(options);
}

function createNoteWriter(stream: ProgressStream): ProgressWriter {
  return {
    update: () => {},
    note: (message) => stream.write(`${manyLines(message)}\n`),
    done: () => {},
  };
}

function createLineWriter({ stream, clock }: ProgressWriterOptions): ProgressWriter {
  const notes = createNoteWriter(stream);
  let nextAt: number | null = null;
  let isDone = false;
  return {
    ...notes,
    update: (progress) => {
      const now = clock.monotonic();
      nextAt ??= now + LINE_EVERY_MS;
      if (isDone || now < nextAt) return;
      nextAt = now + LINE_EVERY_MS;
      stream.write(`${renderProgressLine(progress)}\n`);
    },
    done: () => (isDone = true),
  };
}

function createBarWriter({ stream, clock, color }: ProgressWriterOptions): ProgressWriter {
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
