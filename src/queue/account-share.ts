import { randomUUID } from "node:crypto";

import type { AccountLimits, AccountShare, ShareAsk, ShareGrant } from "../account-share.ts";
import type { Clock } from "../system/clock.ts";
import type { Connection } from "./connection.ts";
import type { Place } from "./keys.ts";

// Why not bottleneck's own Redis mode: two processes got 160 to 210 of 1 000 units a second out of it,
// with a heartbeat of 100 ms 850, at five times the CPU time or more, and next to none after its keys
// were deleted. Of these leases they get 998, and go on. `npm run bench -- shared` measures it again.

/** An exchange that takes longer has failed: calls do not wait for a Redis in trouble. */
const ANSWERS_WITHIN_MS = 1_000;
/**
 * What is wanted and taken later than usual by more than this is lost: a rate, unlike a balance,
 * cannot be saved up.
 */
const KEPT_MS = 25;
/** How often processes ask: at first as assumed, then on average, at most. */
const ASSUMED_EVERY_MS = 75;
const NEWEST_SHARE = 0.1;
const LONGEST_EVERY_MS = 250;
/** A process that asked within this time keeps its part while the others come first. */
const WAITS_MS = 500;
/** A process that has not asked for this long does not count. */
const LIVES_MS = 2_000;
const FORGOTTEN_MS = 60 * 60_000;

/**
 * Everything is in one string, so that all of it lives, dies and moves between the nodes of a
 * cluster together. What has accrued since the last exchange of anybody is shared out to those who
 * wait, the smallest need first, so that nobody gets more than others for asking oftener, earlier
 * or for more. Durations are milliseconds and only differences of Redis's clock count: a Redis that
 * failed over to a clock behind loses an instant, not an hour.
 */
const EXCHANGE = `
local KINDS = { "rpm", "tpm" }
local id, ask = ARGV[1], cjson.decode(ARGV[2])

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local saved = redis.call("GET", KEYS[1])
local state = saved and cjson.decode(saved)
  or { at = now, closedMs = 0, limits = {}, level = { rpm = 0, tpm = 0 }, processes = {} }
local elapsed = math.max(0, now - state.at)
state.at = now
local wasClosed = state.closedMs > 0
state.closedMs = math.max(0, state.closedMs - elapsed, ask.closeMs)

local own = state.processes[id] or {
  idle = 0, every = ${ASSUMED_EVERY_MS},
  want = { rpm = 0, tpm = 0 }, lacks = { rpm = 0, tpm = 0 },
  due = { rpm = 0, tpm = 0 }, news = { rpm = 0, tpm = 0 }
}
state.processes[id] = own
own.most = ask.most
local alive = 0
for name, process in pairs(state.processes) do
  process.idle = process.idle + elapsed
  if process == own or process.idle < ${LIVES_MS} then alive = alive + 1
  else state.processes[name] = nil end
end

local function notAbove(perMinute, kind)
  for _, process in pairs(state.processes) do
    local most = process.most[kind]
    if most and (not perMinute or tonumber(most) < tonumber(perMinute)) then perMinute = most end
  end
  return perMinute
end
local function limitOf(kind) return notAbove(state.limits[kind], kind) end
local function ratePerMs(kind) return tonumber(limitOf(kind)) / 60000 end
-- One unit more, or a slow rate would lose what accrues between a whole unit and its being taken.
local function capacity(kind)
  local every = 0
  for _, process in pairs(state.processes) do
    if process.idle < ${WAITS_MS} then every = math.max(every, process.every) end
  end
  return 1 + ratePerMs(kind) * (${KEPT_MS} + every)
end

local function shareOut(kind)
  local waiting, isWanted = {}, false
  for _, process in pairs(state.processes) do
    if process.idle < ${WAITS_MS} then
      table.insert(waiting, process)
      isWanted = isWanted or process.lacks[kind] > 0
    else process.due[kind] = 0 end
  end
  -- Calls must not begin with a burst after a time in which nobody might send, or wanted to.
  local before, most = state.level[kind], isWanted and capacity(kind) or 1
  if wasClosed then before, most = 0, 0 end
  if wasClosed or not isWanted then
    for _, process in pairs(state.processes) do process.due[kind] = 0 end
  end
  state.level[kind] = math.min(before + ratePerMs(kind) * elapsed, most)
  local accrued = math.max(0, state.level[kind] - before)
  -- Below nothing where a process is due more than it wants by now: the others get that too.
  local function need(process) return process.want[kind] - process.due[kind] end
  table.sort(waiting, function(a, b) return need(a) < need(b) end)
  for position, process in ipairs(waiting) do
    local part = math.min(need(process), accrued / (#waiting - position + 1))
    process.due[kind] = process.due[kind] + part
    accrued = accrued - part
  end
end

local function limit(kind, told)
  local perMinute = told and notAbove(told, kind)
  if perMinute == state.limits[kind] then return end
  state.limits[kind] = perMinute
  state.level[kind] = limitOf(kind) and math.min(state.level[kind], capacity(kind)) or 0
  for _, process in pairs(state.processes) do process.due[kind] = 0 end
end

local function grant(kind)
  local asked = ask.want[kind]
  own.want[kind], own.lacks[kind] = asked, asked
  if state.closedMs > 0 then return 0 end
  if not limitOf(kind) then
    own.lacks[kind] = 0
    return asked
  end
  local level, others, longest = state.level[kind], 0, 0
  for _, process in pairs(state.processes) do
    if process ~= own then
      others = others + process.due[kind]
      longest = math.max(longest, process.due[kind])
    end
  end
  local granted = math.min(asked, math.max(0, math.floor(level - others)))
  -- Where all wait with a fraction of a unit each, the one that is due most takes a whole one.
  if granted == 0 and asked > 0 and level >= 1 and own.due[kind] >= longest then granted = 1 end
  state.level[kind] = level - granted
  own.due[kind] = math.max(0, own.due[kind] - granted)
  own.lacks[kind] = asked - granted
  return granted
end

-- Each learns what the others used since it asked last.
local function exchangeUsed(kind)
  for _, process in pairs(state.processes) do
    if process ~= own then process.news[kind] = process.news[kind] + ask.used[kind] end
  end
  local news = own.news[kind]
  own.news[kind] = 0
  return tostring(news)
end

for _, kind in ipairs(KINDS) do
  if limitOf(kind) then shareOut(kind) end
end
local isFirst = not state.told and next(ask.limits)
for _, kind in ipairs(KINDS) do
  if isFirst or string.find(ask.news, kind, 1, true) then
    limit(kind, ask.limits[kind])
    state.told = true
  end
end
local rpm, tpm = grant("rpm"), grant("tpm")
if own.idle < ${WAITS_MS} then
  own.every = own.every + ${NEWEST_SHARE} * (math.min(own.idle, ${LONGEST_EVERY_MS}) - own.every)
end
own.idle = 0
local usedRpm, usedTpm = exchangeUsed("rpm"), exchangeUsed("tpm")
redis.call("SET", KEYS[1], cjson.encode(state), "PX", ${FORGOTTEN_MS})
return {
  rpm, tpm, limitOf("rpm") or false, limitOf("tpm") or false, usedRpm, usedTpm,
  math.ceil(state.closedMs), alive
}
`;

type Reply = [
  requests: number,
  tokens: number,
  rpm: string | null,
  tpm: string | null,
  requestsUsed: string,
  tokensUsed: string,
  closedMs: number,
  processes: number,
];

interface Scripted {
  nightshiftExchange(key: string, id: string, ask: string): Promise<Reply>;
}

/**
 * What the processes on one Redis that use the same account share.
 *
 * Limits are told once: every exchange carries what this process last read, and a Redis that was
 * emptied or restarted takes them from the first who comes. The rates then start anew, from empty.
 *
 * @param account names the account without telling its key: part of a Redis key.
 */
export function openAccountShare(
  { connection, prefix }: Place,
  account: string,
  clock: Clock,
): AccountShare {
  const key = `${prefix}:{account:${account}}:share`;
  const id = randomUUID();
  connection.defineCommand("nightshiftExchange", { numberOfKeys: 1, lua: EXCHANGE });
  // ioredis makes the method at run time.
  const scripted = connection as Connection & Scripted;
  let known: AccountLimits = { rpm: null, tpm: null };
  return {
    exchange: async (ask) => {
      // ioredis keeps what it is given while disconnected, for as long as that takes.
      if (connection.status !== "ready") throw new Error("Redis is not connected");
      const reply = scripted.nightshiftExchange(key, id, askText(ask, known));
      const grant = grantOf(await inTime(reply, clock));
      known = grant.limits;
      return grant;
    },
  };
}

/** Limits travel as text: Lua's JSON would round them. One that is not known is left out. */
function askText(ask: ShareAsk, known: AccountLimits): string {
  return JSON.stringify({
    want: { rpm: Math.ceil(ask.requests), tpm: Math.ceil(ask.tokens) },
    used: { rpm: ask.used?.requests ?? 0, tpm: ask.used?.tokens ?? 0 },
    limits: asText({ ...known, ...ask.limits }),
    news: Object.keys(ask.limits ?? {}).join(" "),
    most: asText(ask.most),
    closeMs: Math.ceil(ask.closeMs ?? 0),
  });
}

function asText(limits: AccountLimits | undefined): { rpm?: string; tpm?: string } {
  const { rpm = null, tpm = null } = limits ?? {};
  return { ...(rpm !== null && { rpm: String(rpm) }), ...(tpm !== null && { tpm: String(tpm) }) };
}

function grantOf(reply: Reply): ShareGrant {
  const [requests, tokens, rpm, tpm, requestsUsed, tokensUsed, closedMs, processes] = reply;
  const limits: AccountLimits = {
    rpm: rpm === null ? null : Number(rpm),
    tpm: tpm === null ? null : Number(tpm),
  };
  const othersUsed = { requests: Number(requestsUsed), tokens: Number(tokensUsed) };
  return { requests, tokens, limits, othersUsed, closedMs, processes };
}

async function inTime<T>(answer: Promise<T>, clock: Clock): Promise<T> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(ANSWERS_WITHIN_MS, () =>
    late.reject(new Error(`Redis did not answer within ${ANSWERS_WITHIN_MS} ms`)),
  );
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    cancel();
  }
}
