import { createHmac } from "node:crypto";

/** What `X-Nightshift-Signature` says of a body: whoever knows the secret can tell that it is ours. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}
