import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import { messageOf, UsageError } from "../errors.ts";

/** What the reading of bytes may be told. */
export interface ByteOptions {
  readonly signal?: AbortSignal;
  /** Sees every byte of the file as it is on disk (still compressed), in order: for the fingerprint. */
  readonly onBytes?: (chunk: Buffer) => void;
}

// Larger chunks are no faster, and the records of one chunk are in memory together.
const CHUNK_BYTES = 128 * 1024;

/** The content of a file in chunks, unpacked if need be. The file is closed whenever the loop over it ends. */
export async function* fileContent(
  path: string,
  gzip: boolean,
  options: ByteOptions,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    await refuseAllButFiles(path);
    const bytes = fileBytes(path, options);
    yield* gzip ? gunzipped(bytes) : bytes;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw unreadable(path, error);
  }
}

async function refuseAllButFiles(path: string): Promise<void> {
  const stats = await stat(path);
  if (stats.isDirectory()) throw new UsageError(`${path}: is a directory. Name a file in it.`);
  // A pipe could not be read again for the export or after a crash.
  if (!stats.isFile()) throw new UsageError(`${path}: is no regular file. Save it to disk first.`);
}

async function* fileBytes(
  path: string,
  { signal, onBytes }: ByteOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path);
  let isFirst = true;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES));
      if (bytesRead === 0) return;
      const chunk = buffer.subarray(0, bytesRead);
      if (isFirst) refuseWorkbook(chunk, path);
      isFirst = false;
      onBytes?.(chunk);
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

/** How a ZIP archive begins, which every .xlsx is, and how an .xls does. */
const WORKBOOKS = [Buffer.from("PK\x03\x04", "latin1"), Buffer.from("d0cf11e0a1b11ae1", "hex")];

function refuseWorkbook(beginning: Buffer, path: string): void {
  if (!WORKBOOKS.some((magic) => beginning.subarray(0, magic.length).equals(magic))) return;
  throw new UsageError(
    `${path}: is a spreadsheet or a ZIP archive, whatever its name says. Save the spreadsheet as "CSV UTF-8", or unpack the archive.`,
  );
}

async function* gunzipped(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // A failure of either side also ends the loop below, which throws it.
  const feeding = pipeline(bytes, gunzip).catch(() => undefined);
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } finally {
    gunzip.destroy();
    await feeding;
  }
}

function unreadable(path: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (typeof code !== "string" || error instanceof UsageError) return error;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new UsageError(`${path}: no such file. Check the path.`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new UsageError(`${path}: may not be read. Check its permissions.`, { cause: error });
  }
  if (code === "Z_BUF_ERROR") {
    return new UsageError(`${path}: the gzip data breaks off. Copy or download the file again.`, {
      cause: error,
    });
  }
  if (code.startsWith("Z_")) {
    return new UsageError(
      `${path}: is no gzip file (${messageOf(error)}). Take .gz off its name if it is not compressed.`,
      { cause: error },
    );
  }
  return new UsageError(`${path}: cannot be read: ${messageOf(error)}`, { cause: error });
}
