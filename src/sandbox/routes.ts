import type { IncomingMessage, ServerResponse } from "node:http";

import { messageOf } from "../errors.ts";
import { changeLimits } from "./change-limits.ts";
import { answerChat } from "./chat.ts";
import type { ErrorContext } from "./error-answer.ts";
import { errorAnswer } from "./errors.ts";
import { profileHeaders } from "./headers.ts";
import { authenticate } from "./keys.ts";
import type { Account } from "./keys.ts";
import { CONSOLE_PAGE } from "./pages.ts";
import type { SandboxState } from "./state.ts";

/** Answers one request, whose body has arrived. */
export function route(
  state: SandboxState,
  reset: () => void,
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
): void {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  const target = `${request.method} ${path}`;
  if (target === "POST /v1/chat/completions") return answerChat(state, request, response, text);

  const call: Visit = { state, request, response, target, id: state.nextId(state.clock.now()) };
  if (path.startsWith("/__sandbox/")) return control(call, reset, text);
  if (target === "GET /api/status") return sendJson(call, STATUS);
  if (target === "GET /api/pricing" && state.profile === "newapi") {
    return sendJson(call, priceList(state.models));
  }
  if (target === "GET /v1/models") return withKey(call, (account) => listModels(call, account));
  if (target.startsWith("GET /v1/models/")) {
    const id = decoded(path.slice("/v1/models/".length));
    return withKey(call, (account) => showModel(call, account, id));
  }
  if (target === "GET /v1/dashboard/billing/subscription") {
    return withKey(call, (account) => sendJson(call, subscription(account)));
  }
  if (target === "GET /v1/dashboard/billing/usage") {
    return withKey(call, (account) =>
      sendJson(call, { object: "list", total_usage: account.spentUsd * 100 }),
    );
  }
  if (path.startsWith("/v1/") || path.startsWith("/api/")) return sendError(call, "404");
  // A base URL without /v1 ends up here: the console answers 200 with a page.
  return send(call, 200, "text/html; charset=utf-8", CONSOLE_PAGE);
}

interface Visit {
  readonly state: SandboxState;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: string;
  readonly id: string;
}

const STATUS = {
  success: true,
  message: "",
  data: { version: "v0.12.14", system_name: "Nightshift sandbox" },
};

/** What the billing endpoints say of an account that nobody counts. */
const UNLIMITED_USD = 100_000_000;

function control(call: Visit, reset: () => void, text: string): void {
  const { ledger, script, accounts } = call.state;
  switch (call.target) {
    case "GET /__sandbox/ledger":
      return sendJson(call, ledger.entries());
    case "GET /__sandbox/stats":
      return sendJson(call, ledger.stats());
    case "GET /__sandbox/timeline":
      return withKey(call, (account) => sendJson(call, account.limiter.timeline()));
    case "POST /__sandbox/reset":
      reset();
      return sendJson(call, { success: true });
    case "POST /__sandbox/script":
      return obey(call, () => script.add(JSON.parse(text)));
    case "POST /__sandbox/limits":
      return obey(call, () => changeLimits(accounts, JSON.parse(text)));
    default:
      return sendError(call, "404");
  }
}

function obey(call: Visit, change: () => void): void {
  try {
    change();
  } catch (error) {
    return sendJson(call, { success: false, message: messageOf(error) }, 400);
  }
  return sendJson(call, { success: true });
}

function withKey(call: Visit, answer: (account: Account) => void): void {
  const account = authenticate(call.state.accounts, call.request.headers.authorization);
  if (typeof account === "string") sendError(call, account);
  else answer(account);
}

function listModels(call: Visit, account: Account): void {
  const data = modelsOf(call, account).map((id) => describe(call, id));
  const list = { data, object: "list" };
  sendJson(call, call.state.profile === "newapi" ? { ...list, success: true } : list);
}

/** new-api answers an unknown model with an error at status 200. */
function showModel(call: Visit, account: Account, id: string): void {
  if (modelsOf(call, account).includes(id)) return sendJson(call, describe(call, id));
  const error = {
    message: `The model '${id}' does not exist`,
    type: "invalid_request_error",
    param: "model",
    code: "model_not_found",
  };
  return sendJson(call, { error }, call.state.profile === "openai" ? 404 : 200);
}

function modelsOf(call: Visit, account: Account): readonly string[] {
  const { models } = account;
  return models === null
    ? call.state.models
    : call.state.models.filter((id) => models.includes(id));
}

function describe(call: Visit, id: string): Record<string, unknown> {
  const model = { id, object: "model", created: 1_626_777_600, owned_by: "openai" };
  const { profile } = call.state;
  if (profile === "newapi") return { ...model, supported_endpoint_types: ["openai"] };
  return profile === "oneapi" ? { ...model, root: id, parent: null, permission: [] } : model;
}

/** Every model costs what the sandbox bills: 0.15 and 0.60 dollars per million tokens. */
function priceList(models: readonly string[]): Record<string, unknown> {
  const price = { quota_type: 0, model_ratio: 0.075, model_price: 0, completion_ratio: 4 };
  return {
    success: true,
    data: models.map((name) => ({ model_name: name, ...price, enable_groups: ["default"] })),
    group_ratio: { default: 1 },
    usable_group: { default: "default" },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function subscription(account: Account): Record<string, unknown> {
  const { balanceUsd, spentUsd } = account;
  const totalUsd = balanceUsd === null ? UNLIMITED_USD : balanceUsd + spentUsd;
  return {
    object: "billing_subscription",
    has_payment_method: true,
    soft_limit_usd: totalUsd,
    hard_limit_usd: totalUsd,
    system_hard_limit_usd: totalUsd,
    access_until: 0,
  };
}

function sendError(call: Visit, name: string): void {
  const context: ErrorContext = {
    requestId: call.id,
    model: "",
    target: call.target,
    chinese: call.request.headers["accept-language"]?.startsWith("zh") ?? false,
    limit: 0,
    used: 0,
    detail: "",
    tryAgain: "",
  };
  const answer = errorAnswer(name, call.state.profile, context);
  send(call, answer.status, answer.contentType, answer.body);
}

function sendJson(call: Visit, value: unknown, status = 200): void {
  send(call, status, "application/json; charset=utf-8", JSON.stringify(value));
}

function send(call: Visit, status: number, contentType: string, body: string): void {
  const headers = profileHeaders(call.state.profile, call.id, contentType, body);
  call.response.writeHead(status, headers);
  call.response.end(body);
}
