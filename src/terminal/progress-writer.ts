import { type ProgressView, renderProgressLine } from "./progress-bar.ts";
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

const LINE_EVERY_MS = 10_000;

/** A live bar on a terminal, a line now and then elsewhere. */
export async function createProgressWriter(
  options: ProgressWriterOptions,
): Promise<ProgressWriter> {
  const { stream, quiet } = options;
  if (quiet) return createNoteWriter(stream);
  // A terminal that does not know its width yet says 0.
  if (stream.isTTY !== true || stream.columns === 0) return createLineWriter(options);
  // What draws it takes 40 ms to load, which nobody without a terminal should wait for.
  const { createBarWriter } = await import("./bar-writer.ts");
  return createBarWriter(options);
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
