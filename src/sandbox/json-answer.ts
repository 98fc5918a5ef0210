import { hash32 } from "./hash.ts";

interface Schema {
  readonly type?: unknown;
  readonly const?: unknown;
  readonly enum?: unknown;
  readonly properties?: Record<string, unknown>;
  readonly items?: unknown;
  readonly minItems?: unknown;
  readonly minimum?: unknown;
}

/** A value that matches the usual parts of a JSON schema; the seed decides between equals. */
export function jsonFor(schema: unknown, seed: number): unknown {
  if (typeof schema !== "object" || schema === null) return { answer: `answer ${seed % 100}` };
  const wanted = schema as Schema;
  if ("const" in wanted) return wanted.const;
  if (Array.isArray(wanted.enum) && wanted.enum.length > 0) {
    const options: readonly unknown[] = wanted.enum;
    return options[seed % options.length];
  }
  const type: unknown = Array.isArray(wanted.type) ? wanted.type[0] : wanted.type;
  const least = typeof wanted.minimum === "number" ? Math.ceil(wanted.minimum) : 0;
  switch (type) {
    case "string":
      return `text ${seed % 100}`;
    case "integer":
      return least + (seed % 10);
    case "number":
      return least + (seed % 100) / 100;
    case "boolean":
      return seed % 2 === 0;
    case "null":
      return null;
    case "array": {
      const length = typeof wanted.minItems === "number" ? wanted.minItems : 1;
      return Array.from({ length }, (_, index) => jsonFor(wanted.items, hash32(seed, `${index}`)));
    }
    default:
      return Object.fromEntries(
        Object.entries(wanted.properties ?? {}).map(([name, inner]) => [
          name,
          jsonFor(inner, hash32(seed, name)),
        ]),
      );
  }
}
