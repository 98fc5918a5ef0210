import type { RunResult } from "../events.ts";
import { runJob } from "../run.ts";
import { orderOf, type RunOptions } from "../start.ts";
import type { FiringOrder } from "./job-work.ts";

/** Runs what a tick stands for, or continues its run, as an ordinary run in a directory of its own. */
export function fire(
  { scheduled, tick, directory, signal, onStarted }: FiringOrder,
  options: RunOptions,
): Promise<RunResult> {
  const { job, file } = scheduled;
  const order = orderOf(directory === null ? job : { ...job, out: directory }, options);
  return runJob({
    ...order,
    firing: { tick, jobFile: file, byHand: false },
    signal,
    onEvent: (event) => {
      if (event.event === "started") onStarted(event.directory, event.continued);
      options.onEvent?.(event);
    },
  });
}
