import { classify } from "./classify.ts";
import type { GatewayClient } from "./client.ts";
import type { Verdict } from "./verdict.ts";

/** What `GET /v1/models` says about the key and the address. */
export type ModelsAnswer =
  | { readonly kind: "models"; readonly models: readonly string[] }
  /** The gateway is there, but has no such endpoint or no such list. */
  | { readonly kind: "no-list" }
  | { readonly kind: "trouble"; readonly verdict: Extract<Verdict, { class: "pause-run" }> }
  /** Nobody answered, or with a 5xx: an outage. */
  | { readonly kind: "unavailable"; readonly message: string };

const TIMEOUT_MS = 20_000;

/** Asks what the gateway offers. */
export async function askModels(
  client: GatewayClient,
  now: number,
  signal?: AbortSignal,
): Promise<ModelsAnswer> {
  const reply = await client.get("/models", {
    timeoutMs: TIMEOUT_MS,
    ...(signal !== undefined && { signal }),
  });
  if (reply.kind === "unanswered") return { kind: "unavailable", message: reply.message };
  const models = reply.status === 200 ? readModels(reply.body) : null;
  if (models !== null) return { kind: "models", models };
  // Many gateways have no such endpoint; that says nothing about the others.
  if (reply.status === 404 || reply.status === 405) return { kind: "no-list" };
  const verdict = classify(reply, { onLength: "keep", now });
  if (verdict.class === "pause-run") return { kind: "trouble", verdict };
  if (reply.status >= 500) return { kind: "unavailable", message: verdictMessage(verdict) };
  return { kind: "no-list" };
}

function readModels(body: string): readonly string[] | null {
  try {
    const { data } = JSON.parse(body) as { data?: unknown };
    if (!Array.isArray(data)) return null;
    return data.flatMap((model: unknown) => {
      const id = (model as { id?: unknown } | null)?.id;
      return typeof id === "string" ? [id] : [];
    });
  } catch {
    return null;
  }
}

function verdictMessage(verdict: Verdict): string {
  return verdict.class === "completed" ? "" : verdict.failure.message;
}
