import { describe, expect, it } from "vitest";

import { TokenReservation } from "../../../src/run/token-reservation.ts";
import { estimateTokens } from "../../../src/tokens.ts";

function answerTokens(reservation: TokenReservation, request: object): number {
  const body = JSON.stringify({ messages: [{ role: "user", content: "你好" }], ...request });
  return reservation.of(body) - estimateTokens(body);
}

describe("tokens set aside for an answer", () => {
  it.each([
    [{ max_tokens: 70 }, 70],
    [{ max_completion_tokens: 90 }, 90],
    [{ max_tokens: 70, max_completion_tokens: 40 }, 70],
    [{ max_tokens: 70, n: 3 }, 210],
  ])("are what %o allows", (request, tokens) => {
    expect(answerTokens(new TokenReservation(), request)).toBe(tokens);
  });

  it.each([{}, { max_tokens: null }, { max_tokens: 0 }, { max_tokens: "9" }])(
    "are as many as answers have on average where %o allows any number",
    (request) => {
      const reservation = new TokenReservation();
      const before = answerTokens(reservation, request);
      expect(before).toBeGreaterThan(100);
      reservation.note(null);
      expect(answerTokens(reservation, request)).toBe(before);
      for (let answer = 0; answer < 200; answer += 1) {
        reservation.note({ prompt: 5, completion: 20, total: 25, cached: 0, reasoning: 0 });
      }
      expect(answerTokens(reservation, request)).toBeCloseTo(20, 0);
    },
  );
});
