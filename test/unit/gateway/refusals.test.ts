import { describe, expect, it } from "vitest";

import { Admitted } from "../../../src/gateway/admitted.ts";
import { type Lesson, Refusals } from "../../../src/gateway/refusals.ts";

const MINUTE_MS = 60_000;

/** Sends so many calls within a tenth of a second, of which the last ones are refused. */
class Scene {
  readonly #admitted = new Admitted();
  readonly #refusals = new Refusals(this.#admitted, null, 0);

  letIn(at: number, calls: number): Lesson | null {
    this.#admitted.add(at, calls);
    this.#refusals.sent(calls);
    return this.#refusals.letIn(at, null);
  }

  refuse(at: number, calls: number): Lesson | null {
    let lesson: Lesson | null = null;
    for (let call = 0; call < calls; call += 1) {
      const refusal = { now: at, sentAt: at, units: 1, told: null };
      const [isNews, sentAfter] = [call === 0, calls - 1];
      lesson = this.#refusals.refused({ ...refusal, sentAfter, isNews }, null) ?? lesson;
    }
    return lesson;
  }
}

/** What is learned of a second burst after 100 calls each. */
function afterTwoBursts(scene: Scene, at: number): Lesson | null {
  for (const start of [at, at + 3_000]) {
    scene.letIn(start, 100);
    scene.refuse(start + 100, 20);
  }
  return scene.letIn(at + 5_200, 1);
}

describe("what refusals say", () => {
  it("is a limit per second, where the same amount was let in before each burst", () => {
    expect(afterTwoBursts(new Scene(), 1_000)).toMatchObject({
      found: 6_000,
      isSure: true,
      isLong: false,
    });
  });

  it.each([
    ["more than it allows was let in within the minute", 1_000, 7_000],
    ["the minute before held the same amount each time, and less than it allows", 1_000, 1_500],
  ])("is nothing to tell people where %s", (_why, at, before) => {
    const scene = new Scene();
    scene.letIn(0, before);
    expect(afterTwoBursts(scene, at + 1_000)).toMatchObject({ found: 6_000, isSure: false });
  });

  it.each([
    [600, 600],
    [9, null],
  ])(
    "is a limit over a minute, where %d calls were let in and five in a row refused",
    (calls, found) => {
      const scene = new Scene();
      scene.letIn(1_000, calls);
      const refusedAt = [1_100, 3_100, 7_100, 15_100, 31_100];
      for (const at of refusedAt) scene.refuse(at, at === 1_100 ? 20 : 1);
      const lesson = scene.letIn(MINUTE_MS + 2_000, 1);
      expect([lesson?.found, lesson?.isLong]).toEqual([found, found !== null]);
    },
  );
});
