import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { API_KEY } from "../peers/task.ts";
import { plainEnvironment } from "./whole-process.ts";

/** A Nightshift process that tells its events. */
export interface Crewman {
  readonly child: ChildProcess;
  /** The next event that is so. */
  next(isSo: (event: CrewEvent) => boolean): Promise<CrewEvent>;
  readonly exit: Promise<number | null>;
  stop(): Promise<void>;
}

/** An event of `run` or `worker`, as far as the bench looks at it. */
export interface CrewEvent {
  readonly event: string;
  readonly completed?: number;
  /** Milliseconds of `performance.now()` at which it was read. */
  readonly at: number;
}

/** Starts `<cli> <args> --json` with a directory, a Redis and a gateway. */
export function startCrewman(
  cli: string,
  args: readonly string[],
  where: { readonly directory: string; readonly redis: string; readonly gateway: string },
): Crewman {
  mkdirSync(where.directory, { recursive: true });
  const child = spawn(process.execPath, [cli, ...args, "--json", "--quiet"], {
    cwd: where.directory,
    env: {
      ...plainEnvironment(),
      XDG_STATE_HOME: join(where.directory, "state"),
      NIGHTSHIFT_API_KEY: API_KEY,
      NIGHTSHIFT_BASE_URL: where.gateway,
      NIGHTSHIFT_REDIS_URL: where.redis,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  const exit = new Promise<number | null>((resolve) =>
    child.once("exit", (code) => {
      process.off("exit", end);
      resolve(code);
    }),
  );
  const waiting = new Set<{ isSo: (event: CrewEvent) => boolean; tell: (e: CrewEvent) => void }>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    // Written by our own command line.
    const event = { ...(JSON.parse(line) as CrewEvent), at: performance.now() };
    for (const one of waiting) {
      if (!one.isSo(event)) continue;
      waiting.delete(one);
      one.tell(event);
    }
  });
  return {
    child,
    exit,
    next: (isSo) =>
      Promise.race([
        new Promise<CrewEvent>((tell) => void waiting.add({ isSo, tell })),
        exit.then((code) => {
          throw new Error(`nightshift ${args[0] ?? ""} ended early with ${code ?? "a signal"}`);
        }),
      ]),
    stop: async () => {
      child.kill("SIGKILL");
      await exit;
    },
  };
}
