import { Agent, EnvHttpProxyAgent, request } from "undici";

import { messageOf } from "../errors.ts";

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly proxy: {
    readonly httpsProxy: string | null;
    readonly httpProxy: string | null;
    readonly noProxy: string | null;
  };
  /** For all of it: connecting, sending, and the answer's first line. */
  readonly timeoutMs: number;
}

/**
 * Posts a body to an address, once. A redirect is no acknowledgement, and is not followed: it could
 * lead anywhere.
 *
 * @returns null when it was acknowledged by a 2xx, else why not.
 */
export async function post(
  url: string,
  body: string,
  { headers, proxy, timeoutMs }: PostOptions,
): Promise<string | null> {
  const { httpProxy, httpsProxy, noProxy } = proxy;
  const isDirect = httpProxy === null && httpsProxy === null;
  const dispatcher = isDirect
    ? new Agent()
    : new EnvHttpProxyAgent({
        ...(httpProxy !== null && { httpProxy }),
        ...(httpsProxy !== null && { httpsProxy }),
        ...(noProxy !== null && { noProxy }),
      });
  try {
    const answer = await request(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      dispatcher,
      signal: AbortSignal.timeout(timeoutMs),
    });
    // Whatever else it says, and however long it goes on.
    answer.body.on("error", () => {});
    answer.body.destroy();
    const { statusCode } = answer;
    return statusCode >= 200 && statusCode < 300 ? null : `it answered ${statusCode}`;
  } catch (error) {
    return messageOf(error) || "it cannot be reached";
  } finally {
    // A receiver that holds on to its connections must not hold this process.
    await dispatcher.destroy().catch(() => {});
  }
}
