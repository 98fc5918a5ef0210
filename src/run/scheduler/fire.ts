import type { ResolvedJob } from "../../job/resolved-job.ts";
import { type Manifest, requireManifest } from "../../ledger/manifest.ts";
import type { RunResult } from "../events.ts";
import { runJob } from "../run.ts";
import { orderOf, type RunOptions } from "../start.ts";
import type { FiringOrder } from "./job-work.ts";

/** Runs what a tick stands for, or continues its run, as an ordinary run in a directory of its own. */
export async function fire(
  { scheduled, tick, directory, signal, onStarted }: FiringOrder,
  options: RunOptions,
): Promise<RunResult> {
  const { job, file } = scheduled;
  const former = directory === null ? null : await requireManifest(directory);
  const continued = former === null ? {} : { input: former.input.path, out: directory };
  const order = orderOf({ ...job, ...continued }, options);
  return runJob({
    ...order,
    firing: {
      tick,
      jobFile: file,
      byHand: false,
      inputs: former === null ? null : inputsOf(former),
    },
    signal,
    onEvent: (event) => {
      if (event.event === "started") onStarted(event.directory, event.continued);
      options.onEvent?.(event);
    },
  });
}

function inputsOf({ input, job }: Manifest): readonly string[] {
  // Written by us from a ResolvedJob.
  return (job["inputs"] as ResolvedJob["inputs"] | undefined) ?? [input.path];
}
