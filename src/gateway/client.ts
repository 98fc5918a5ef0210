import { EnvHttpProxyAgent, Pool, type Dispatcher } from "undici";

import { UsageError } from "../errors.ts";
import type { Clock } from "../system/clock.ts";
import type { ProxySettings } from "../system/env.ts";
import { Exchange, type Limits } from "./exchange.ts";
import type { Reply } from "./reply.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Where the gateway is, and who asks. */
export interface GatewayClientOptions {
  /** With or without a slash at its end: `https://1688token.ai/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string | null;
  /** Connections kept open at most: as many calls as are in flight at once. */
  readonly connections: number;
  /** Of Nightshift, for the User-Agent. */
  readonly version: string;
  readonly clock: Clock;
  /** @default 10 s */
  readonly connectTimeoutMs?: number;
  /** @default 64 MB */
  readonly maxAnswerBytes?: number;
  readonly proxy?: ProxySettings;
}

/** How one call is made. */
export interface ChatOptions {
  readonly stream: boolean;
  /** The whole answer; with `stream`, silence between chunks, and ten times it in all. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The only way to the gateway. What the network or the gateway does is a {@link Reply}, never an
 * exception: a call rejects only with the reason of the caller's own signal.
 */
export interface GatewayClient {
  /** Sends a request body (JSON text without `stream`) to `/chat/completions`. */
  chat(body: string, options: ChatOptions): Promise<Reply>;
  /** Fetches a path below the base URL, such as `/models`. */
  get(path: string, options: Omit<ChatOptions, "stream">): Promise<Reply>;
  /** Lets the calls in flight end, then closes every connection. */
  close(): Promise<void>;
  /** Breaks every connection off: a call in flight gets a reply that says so. */
  destroy(): Promise<void>;
}

/**
 * Opens nothing yet: connections are made as calls need them.
 *
 * @throws UsageError where the base URL is no URL, or the key cannot be sent in a header.
 */
export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  const { clock, apiKey } = options;
  const url = parseBaseUrl(options.baseUrl);
  const basePath = url.pathname.replace(/\/+$/, "");
  const headers = requestHeaders(options);
  const dispatcher = createDispatcher(url, options);
  const maxBytes = options.maxAnswerBytes ?? MAX_ANSWER_BYTES;
  let ended: Promise<void> | undefined;

  function call(
    method: "GET" | "POST",
    path: string,
    body: string | null,
    limits: Omit<Limits, "maxBytes">,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange({ ...limits, maxBytes }, apiKey, clock, resolve, reject);
      if (!exchange.begin(signal)) return;
      dispatcher.dispatch(
        {
          origin: url.origin,
          path: `${basePath}${path}${url.search}`,
          method,
          headers,
          body,
          // Undici's own, 300 s, would cut a slow answer off. The exchange keeps time.
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        exchange,
      );
    });
  }

  return {
    chat: (body, { stream, timeoutMs, signal }) =>
      call(
        "POST",
        "/chat/completions",
        stream ? withStream(body) : body,
        { silenceMs: timeoutMs, totalMs: stream ? 10 * timeoutMs : timeoutMs, stream },
        signal,
      ),
    get: (path, { timeoutMs, signal }) =>
      call("GET", path, null, { silenceMs: timeoutMs, totalMs: timeoutMs, stream: false }, signal),
    close: () => (ended ??= dispatcher.close()),
    destroy: () => {
      const broken = dispatcher.destroy();
      ended ??= broken;
      return broken;
    },
  };
}

function parseBaseUrl(baseUrl: string): URL {
  const url = URL.parse(baseUrl);
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw new UsageError(
    `base URL: \`${baseUrl}\` is no http(s) URL. Write it like https://1688token.ai/v1`,
  );
}

function requestHeaders({ apiKey, version }: GatewayClientOptions): Record<string, string> {
  if (apiKey !== null && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UsageError(
      "API key: it holds a blank, a line break or a character outside ASCII. Copy it again from the gateway's page.",
    );
  }
  return {
    "content-type": "application/json",
    "user-agent": `nightshift/${version}`,
    ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
  };
}

function createDispatcher(url: URL, options: GatewayClientOptions): Dispatcher {
  // Empty, not absent: undici would look into the environment itself.
  const httpsProxy = options.proxy?.httpsProxy ?? "";
  const httpProxy = options.proxy?.httpProxy ?? "";
  const noProxy = options.proxy?.noProxy ?? "";
  const settings = {
    connections: options.connections,
    pipelining: 1,
    // One call, one connection: over HTTP/2 a single broken connection takes all paid answers with it.
    allowH2: false,
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
  };
  const proxied = (url.protocol === "https:" ? httpsProxy : httpProxy) !== "";
  return proxied
    ? new EnvHttpProxyAgent({ ...settings, httpsProxy, httpProxy, noProxy })
    : new Pool(url.origin, settings);
}

/** A body never holds these keys, and is an object that is not empty: no need to parse it. */
function withStream(body: string): string {
  const end = body.lastIndexOf("}");
  return `${body.slice(0, end)},"stream":true,"stream_options":{"include_usage":true}}`;
}
