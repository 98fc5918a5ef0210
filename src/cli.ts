#!/usr/bin/env node
// The only place that reads argv and ends the process. Nothing is imported before the version of
// Node is known to be enough: an older one could not even parse what follows.

/** Whatever still holds the process open this long after its work is done was forgotten. */
const LINGER_MS = 2_000;

try {
  await import("./system/supported-node.ts");
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}

// Compiled code of earlier starts, kept below the system's temporary directory; where that cannot
// be written, it is compiled anew each time.
(await import("node:module")).enableCompileCache();

const stop = new AbortController();
const { EXIT } = await import("./commands/io.ts");
const { interrupted, STOPPED_AT_ONCE } = await import("./commands/interrupted.ts");
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) {
      process.stderr.write(`${process.stderr.isTTY ? "\n" : ""}${STOPPED_AT_ONCE}\n`);
      process.exit(130);
    }
    stop.abort(interrupted(signal));
  });
}
// Asked now: a terminal that was closed is none any more.
const hearsHangup = (await import("./system/at-terminal.ts")).isAtTerminal();
let isHungUp = false;
process.on("SIGHUP", () => {
  if (!hearsHangup) return;
  // The kernel sends it, and the shell once more: the second one is no wish to stop at once.
  isHungUp = true;
  stop.abort(interrupted("SIGHUP"));
});
let isToldOfStdout = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever reads our output may stop reading: `nightshift models | head -1`.
  if (error.code === "EPIPE" || isHungUp || isToldOfStdout) return;
  isToldOfStdout = true;
  process.stderr.write(
    `nightshift: what belongs on stdout cannot be written there: ${error.message}\n` +
      "Make room, or send it elsewhere, then run the same command again.\n",
  );
  process.exitCode ||= EXIT.stopped;
});
process.stderr.on("error", () => {});

const { main } = await import("./commands/main.ts");
const code = await main(process.argv, stop.signal);
if (code !== EXIT.ok) process.exitCode = code;
setTimeout(() => process.exit(), LINGER_MS).unref();

export {};
