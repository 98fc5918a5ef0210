import { createServer, type Server } from "node:http";

import { messageOf, UsageError } from "../errors.ts";

/** Where probes and scrapers ask. */
export interface MetricsAddress {
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
}

/** What is sent back. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A server that answers. */
export interface HttpServer {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves pages by path; a path without one is not found.
 *
 * @throws UsageError when nothing can be served at that address.
 */
export async function serve(
  address: MetricsAddress,
  pages: Readonly<Record<string, () => Page | Promise<Page>>>,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const page = Object.hasOwn(pages, pathname) ? pages[pathname] : undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    void answer(isRead ? (page ?? notFound(pages)) : notAllowed).then(({ status, type, body }) => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
      response.end(request.method === "HEAD" ? "" : body);
    });
  });
  await listening(server, address);
  // Whoever forgets to close it shall not wait for it.
  server.unref();
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  return {
    url: `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listening(server: Server, { host, port }: MetricsAddress): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => resolve());
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    throw new UsageError(
      code === "EADDRINUSE"
        ? `--metrics-port: port ${port} on ${host} is taken (perhaps by another run): name another, or 0 for any`
        : `--metrics-port: nothing can be served at ${host}:${port}: ${messageOf(error)}`,
      { cause: error },
    );
  }
  server.on("error", () => {});
}

async function answer(page: () => Page | Promise<Page>): Promise<Page> {
  try {
    return await page();
  } catch (error) {
    return plain(500, messageOf(error));
  }
}

function notFound(pages: object): () => Page {
  return () => plain(404, `there are ${Object.keys(pages).join(", ")}`);
}

function notAllowed(): Page {
  return plain(405, "only GET and HEAD");
}

export function plain(status: number, text: string): Page {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}
