import { createHash } from "node:crypto";

import type { GatewayAccess } from "./env.ts";

/** A name for a key at an address that tells neither: 16 hexadecimal digits. */
export function accountOf({ apiKey, baseUrl }: GatewayAccess): string {
  return createHash("sha256").update(`${apiKey}\n${baseUrl}`).digest("hex").slice(0, 16);
}
