import type { Verdict } from "../gateway/verdict.ts";
import type { Item } from "../item.ts";
import type { Log } from "../system/log.ts";

/** Notes an attempt that brought no answer. */
export function logVerdict(
  log: Log,
  item: Item,
  verdict: Exclude<Verdict, { class: "completed" }>,
): void {
  const { failure } = verdict;
  log.warn(
    {
      event: "attempt.failed",
      index: item.index,
      class: verdict.class,
      code: failure.code,
      status: failure.response?.status,
      request_id: failure.response?.requestId,
    },
    failure.message,
  );
}
