import { join } from "node:path";

import { FILES } from "./files.ts";
import { requestInLine, tryParseLine } from "./line.ts";
import { scanLedger } from "./scan.ts";

/**
 * How many items a run answered that another one no longer has: neither is their request asked, nor
 * is their id there with another one.
 */
export async function countVanished(
  directory: string,
  runId: string,
  isAsked: (request: Buffer) => boolean,
  isThere: (customId: string) => boolean,
): Promise<number> {
  let vanished = 0;
  await scanLedger(join(directory, FILES.results), runId, ({ index, bytes }) => {
    const request = index === null ? null : requestInLine(bytes);
    if (request !== null && isAsked(Buffer.from(request, "hex"))) return;
    const line = index === null ? null : tryParseLine(bytes);
    if (line !== null && !isThere(line.custom_id)) vanished += 1;
  });
  return vanished;
}
