import { once } from "node:events";
import { createConnection, createServer } from "node:net";

const COMPLETION = "POST /v1/chat/completions";

/** A wire in front of the gateway that notes when the first completion is asked for. */
export interface Tap {
  readonly url: string;
  /** On the clock of `performance.now()`; null until it happened. */
  firstRequestAt(): number | null;
  close(): void;
}

/** Puts a tap before the gateway at `gatewayUrl`. */
export async function startTap(gatewayUrl: string): Promise<Tap> {
  const gateway = new URL(gatewayUrl);
  let firstRequestAt: number | null = null;

  const server = createServer((client) => {
    const upstream = createConnection(Number(gateway.port), gateway.hostname);
    client.on("data", (bytes) => {
      if (firstRequestAt === null && bytes.includes(COMPLETION)) firstRequestAt = performance.now();
    });
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port to be had");

  return {
    url: `http://127.0.0.1:${address.port}${gateway.pathname}`,
    firstRequestAt: () => firstRequestAt,
    close: () => void server.close(),
  };
}
