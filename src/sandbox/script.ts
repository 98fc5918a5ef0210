import { validateHeaderName, validateHeaderValue } from "node:http";

import { z } from "zod";

import { UsageError, messageOf } from "../errors.ts";
import { faultNamed } from "./fault.ts";

const ruleSchema = z.strictObject({
  /** A part of the request body; every request matches where it is absent. */
  match: z.string().exactOptional(),
  /** How many matching requests this rule takes. Default 1. */
  times: z.int().positive().exactOptional(),
  /** A fault by name. */
  fault: z.string().exactOptional(),
  /** A stream fault by name, `F1` to `F9`: the same as `fault`. */
  stream: z.string().exactOptional(),
  /** A status of your own, instead of a fault. */
  status: z.int().min(200).max(599).exactOptional(),
  /** Its body: a string as it is, anything else as JSON. */
  body: z.unknown().optional(),
  headers: z.record(z.string(), z.string()).exactOptional(),
  delayMs: z.number().nonnegative().exactOptional(),
});

/** One scripted answer: which requests it takes, how often, and what they get. */
export type ScriptRule = z.input<typeof ruleSchema>;

/** Rules that wait for their requests. */
export interface Script {
  /** Adds rules behind those that are there. */
  add(rules: unknown): void;
  /** Takes the first rule that matches this body. */
  next(body: string): ScriptRule | undefined;
  clear(): void;
}

/** An empty script. */
export function createScript(): Script {
  let waiting: { readonly rule: ScriptRule; left: number }[] = [];
  return {
    add(rules) {
      for (const rule of parseRules(rules)) waiting.push({ rule, left: rule.times ?? 1 });
    },
    next(body) {
      if (waiting.length === 0) return undefined;
      const found = waiting.find(
        ({ rule }) => rule.match === undefined || body.includes(rule.match),
      );
      if (found === undefined) return undefined;
      found.left -= 1;
      if (found.left === 0) waiting = waiting.filter((entry) => entry !== found);
      return found.rule;
    },
    clear() {
      waiting = [];
    },
  };
}

function parseRules(rules: unknown): ScriptRule[] {
  const parsed = z.array(ruleSchema).safeParse(rules);
  if (!parsed.success) throw new UsageError(`Script: ${z.prettifyError(parsed.error)}`);
  for (const rule of parsed.data) {
    checkHeaders(rule.headers ?? {});
    const name = rule.fault ?? rule.stream;
    if (name !== undefined && faultNamed(name) === undefined) {
      throw new UsageError(`Script: \`${name}\` is no fault.`);
    }
  }
  return parsed.data;
}

/** What Node would refuse while it answers is refused here. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch (error) {
      throw new UsageError(`Script: ${messageOf(error)}`, { cause: error });
    }
  }
}
