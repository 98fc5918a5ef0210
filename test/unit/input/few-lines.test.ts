import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { fewLines } from "../../../src/input/few-lines.ts";

async function piecesOf(...chunks: readonly string[]): Promise<string[]> {
  const pieces: string[] = [];
  const source = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  for await (const piece of fewLines(source)) pieces.push(piece.toString());
  return pieces;
}

describe("pieces of few lines", () => {
  it("have at most 32 line breaks each", async () => {
    const pieces = await piecesOf("a\n".repeat(100));
    expect(pieces).toEqual(["a\n".repeat(32), "a\n".repeat(32), "a\n".repeat(32), "a\n".repeat(4)]);
  });

  it("hold the same bytes, wherever a chunk ends", async () => {
    const text = fc.string({ unit: fc.constantFrom("\n", "\n", "x", "\r"), maxLength: 400 });
    await fc.assert(
      fc.asyncProperty(fc.array(text), async (chunks) => {
        expect((await piecesOf(...chunks)).join("")).toBe(chunks.join(""));
      }),
    );
  });

  it("leave a chunk without line breaks whole", async () => {
    expect(await piecesOf("x".repeat(1000))).toEqual(["x".repeat(1000)]);
  });
});
