import { expect, test } from "vitest";

import { isAtTerminal } from "../../../src/system/at-terminal.ts";

test.each([
  { terminals: [0, 1, 2], platform: "linux", expected: true },
  { terminals: [0, 2], platform: "darwin", expected: true },
  { terminals: [0], platform: "linux", expected: true },
  // nohup
  { terminals: [], platform: "linux", expected: false },
  { terminals: [0], platform: "darwin", expected: false },
] as const)("with terminals at $terminals on $platform: $expected", (example) => {
  const terminals: readonly number[] = example.terminals;
  expect(isAtTerminal((fd) => terminals.includes(fd), example.platform)).toBe(example.expected);
});
