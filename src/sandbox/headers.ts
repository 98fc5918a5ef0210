import type { Profile } from "./error-answer.ts";

const API_VERSION = "v0.12.14";

/** The headers that every answer carries, in the flat form that Node takes. */
export function profileHeaders(
  profile: Profile,
  requestId: string,
  contentType: string,
  body: string | null,
): string[] {
  const headers = ["Access-Control-Allow-Origin", "*"];
  if (contentType !== "") headers.push("Content-Type", contentType);
  if (body !== null) headers.push("Content-Length", String(Buffer.byteLength(body)));
  switch (profile) {
    case "newapi":
      headers.push("X-Oneapi-Request-Id", requestId, "X-New-Api-Version", API_VERSION);
      break;
    case "oneapi":
      headers.push("X-Oneapi-Request-Id", requestId);
      break;
    case "sub2api":
    case "openai":
      headers.push("x-request-id", requestId);
      break;
  }
  return headers;
}

/** The same with those that come through from the upstream on success. */
export function successHeaders(
  profile: Profile,
  requestId: string,
  contentType: string,
  body: string | null,
): string[] {
  const headers = profileHeaders(profile, requestId, contentType, body);
  if (body === null) headers.push("Cache-Control", "no-cache", "X-Accel-Buffering", "no");
  if (profile === "newapi" || profile === "oneapi") {
    headers.push("x-request-id", `req_${requestId}`);
  }
  headers.push("openai-processing-ms", "1");
  return headers;
}

/** The few headers of a page that nginx or Cloudflare made. */
export function edgeHeaders(contentType: string, body: string): string[] {
  return ["Content-Type", contentType, "Content-Length", String(Buffer.byteLength(body))];
}
