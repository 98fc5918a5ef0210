import { isUtf8 } from "node:buffer";

import { UsageError } from "../errors.ts";

const NEWLINE = 10;

/**
 * The same text as whole characters of valid UTF-8, whatever its encoding was, without a byte order mark.
 * A byte order mark outranks `encoding`; without either the text is UTF-8.
 */
export async function* utf8Text(
  content: AsyncIterable<Buffer>,
  path: string,
  encoding: string | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const named = encodingNamed(encoding ?? "utf-8");
  let head: Buffer | null = Buffer.alloc(0);
  let decode = decoderFor(named, path);
  for await (const chunk of content) {
    if (head === null) {
      yield decode(chunk, false);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < LONGEST_MARK_BYTES) continue;
    const mark = markOf(head);
    if (mark !== undefined) decode = decoderFor(mark.encoding, path);
    yield decode(head.subarray(mark?.bytes.length ?? 0), false);
    head = null;
  }
  const mark = head === null ? undefined : markOf(head);
  if (mark !== undefined) decode = decoderFor(mark.encoding, path);
  yield decode(head?.subarray(mark?.bytes.length ?? 0) ?? Buffer.alloc(0), true);
}

const LONGEST_MARK_BYTES = 3;
const MARKS = [
  { encoding: "utf-8", bytes: Buffer.from([0xef, 0xbb, 0xbf]) },
  { encoding: "utf-16le", bytes: Buffer.from([0xff, 0xfe]) },
  { encoding: "utf-16be", bytes: Buffer.from([0xfe, 0xff]) },
] as const;

function markOf(head: Buffer): (typeof MARKS)[number] | undefined {
  return MARKS.find(({ bytes }) => head.subarray(0, bytes.length).equals(bytes));
}

function encodingNamed(label: string): string {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    throw new UsageError(
      `--encoding ${label}: unknown encoding. Known are for example utf-8, gb18030, big5, shift_jis, euc-kr, utf-16le and windows-1252.`,
    );
  }
}

type Decode = (chunk: Buffer, last: boolean) => Buffer;

function decoderFor(encoding: string, path: string): Decode {
  return encoding === "utf-8" ? utf8Checker(path) : converter(encoding, path);
}

/** Passes UTF-8 through unchanged: checking costs a hundredth of decoding. */
function utf8Checker(path: string): Decode {
  let rest: Buffer = Buffer.alloc(0);
  let lines = 0;
  return (chunk, last) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = last ? bytes.length : bytes.length - openBytes(bytes);
    const whole = bytes.subarray(0, end);
    rest = bytes.subarray(end);
    if (!isUtf8(whole)) {
      throw new UsageError(
        `${path}:${lines + badLine(whole)}: not valid UTF-8. Save the file as UTF-8, or name its encoding: --encoding gb18030 (Chinese), windows-1252 (Western Europe), shift_jis …`,
      );
    }
    lines += countLines(whole);
    return whole;
  };
}

function converter(encoding: string, path: string): Decode {
  const decoder = new TextDecoder(encoding, { fatal: true });
  let lines = 0;
  return (chunk, last) => {
    try {
      const text = Buffer.from(decoder.decode(chunk, { stream: !last }));
      lines += countLines(text);
      return text;
    } catch (error) {
      throw new UsageError(
        `${path}: not valid ${encoding}, somewhere after line ${lines}. Check the encoding of the file, and name it with --encoding.`,
        { cause: error },
      );
    }
  };
}

/** How many bytes at the end begin a character that goes on in the next chunk. */
function openBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

function badLine(bytes: Buffer): number {
  let start = 0;
  for (let line = 1; ; line += 1) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
