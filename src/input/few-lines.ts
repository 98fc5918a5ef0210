const NEWLINE = 10;
/** Of objects that are alive a hundred at a time V8 may conclude that all such objects live long. */
const MOST_LINES = 32;

/**
 * The same bytes in pieces of few lines: what is made of a piece is in memory together, and an input
 * that is long leaves no more behind than one that is short.
 */
export async function* fewLines(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    let start = 0;
    let lines = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) {
      lines += 1;
      if (lines < MOST_LINES) continue;
      yield chunk.subarray(start, at + 1);
      start = at + 1;
      lines = 0;
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}
