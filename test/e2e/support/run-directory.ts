import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { LedgerLine } from "../../../src/ledger/line.ts";
import type { Manifest } from "../../../src/ledger/manifest.ts";
import type { UsageReport } from "../../../src/ledger/usage.ts";

/** A line of the ledger with what tests ask of it. */
export interface Line extends LedgerLine {
  readonly index: number;
  /** The first choice's text; undefined where there is none. */
  readonly completion: string | undefined;
}

/** Everything in a run directory. Each read is fresh. */
export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  results(): Promise<Line[]> {
    return this.#lines("results.jsonl");
  }

  errors(): Promise<Line[]> {
    return this.#lines("errors.jsonl");
  }

  /** The indexes of all outcomes, sorted: `0 … n - 1` when each item has exactly one. */
  async ended(): Promise<number[]> {
    const lines = [...(await this.results()), ...(await this.errors())];
    return lines.map(({ index }) => index).sort((a, b) => a - b);
  }

  async manifest(): Promise<Manifest> {
    return JSON.parse(await this.text("run.json")) as Manifest;
  }

  async usage(): Promise<UsageReport> {
    return JSON.parse(await this.text("usage.json")) as UsageReport;
  }

  text(name: string): Promise<string> {
    return readFile(join(this.path, name), "utf8");
  }

  async files(): Promise<string[]> {
    return (await readdir(this.path)).sort();
  }

  /** Whole lines of results.jsonl so far; 0 before it is there. */
  async completed(): Promise<number> {
    const bytes = await readFile(join(this.path, "results.jsonl")).catch(() => Buffer.alloc(0));
    let lines = 0;
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines += 1;
    return lines;
  }

  async #lines(name: string): Promise<Line[]> {
    const text = await this.text(name);
    if (text !== "" && !text.endsWith("\n")) throw new Error(`${name} ends with a torn line`);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const parsed = JSON.parse(line) as LedgerLine;
        return { ...parsed, index: indexIn(parsed.id), completion: completionIn(parsed) };
      });
  }
}

/** `0, 1, … n - 1` */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index);
}

function indexIn(id: string): number {
  const digits = /^batch_req_.+_(\d+)$/.exec(id)?.[1];
  if (digits === undefined) throw new Error(`${id} is no id of an item`);
  return Number(digits);
}

function completionIn(line: LedgerLine): string | undefined {
  const body = line.response?.body as { choices?: { message: { content: string } }[] } | undefined;
  return body?.choices?.[0]?.message.content;
}
