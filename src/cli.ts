#!/usr/bin/env node
// The only place that reads argv and ends the process. Nothing is imported before the version of
// Node is known to be enough: an older one could not even parse what follows.

const OLDEST_NODE = [22, 19] as const;
/** Whatever still holds the process open this long after its work is done was forgotten. */
const LINGER_MS = 2_000;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  process.stderr.write(
    `nightshift needs Node ${OLDEST_NODE.join(".")} or newer, and this is ${process.versions.node}.\n`,
  );
  process.exit(1);
}

// Compiled code of earlier starts, kept below the system's temporary directory; where that cannot
// be written, it is compiled anew each time.
(await import("node:module")).enableCompileCache();

const stop = new AbortController();
const { interrupted } = await import("./commands/interrupted.ts");
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write(
      "\nstopping: what is in flight will be finished and recorded (once more stops at once)\n",
    );
    stop.abort(interrupted(signal));
  });
}
// Whoever reads our output may stop reading: `nightshift models | head -1`.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const { main } = await import("./commands/program.ts");
process.exitCode = await main(process.argv, stop.signal);
setTimeout(() => process.exit(), LINGER_MS).unref();

export {};
