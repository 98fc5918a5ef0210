import { basename } from "node:path";

import { idleSettings } from "../job/idle-settings.ts";
import { meantParam } from "../job/param-slip.ts";
import type { ResolvedJob } from "../job/resolved-job.ts";
import type { RecordItem } from "./read-items.ts";
import type { RequestTable } from "./reuse/request-table.ts";

/** Notes what the job says in vain: of each kind of record, the first is told. */
export function idleNotes(job: ResolvedJob): {
  readonly notes: readonly string[];
  see(record: RecordItem["record"]): void;
} {
  const forms = new Set<string>();
  const notes: string[] = [];
  return {
    notes,
    see: ({ path, line, fields }) => {
      const idle = idleSettings(job, fields);
      if (idle === null || forms.has(idle.form)) return;
      forms.add(idle.form);
      const names = idle.names.join(", ").replace(/, (?=[^,]+$)/, " and ");
      notes.push(
        `${basename(path)}: line ${line} is ${idle.form}: what the job says of ${names} does not count for it`,
      );
    },
  };
}

/** Any name may be a param of some model, so a slip is no error. */
export function slips({ params }: ResolvedJob): string[] {
  return Object.keys(params).flatMap((name) => {
    const meant = meantParam(name);
    return meant === undefined
      ? []
      : [`params: \`${name}\` is sent as it is. Did you mean \`${meant}\`?`];
  });
}

export function sameQuestion(job: ResolvedJob, items: number): string {
  const cause =
    job.messages === null
      ? "the requests do not differ"
      : "the prompt names no column whose values differ";
  const price = job.dedupe || job.incremental ? "" : ", and each is paid for";
  return `${basename(job.input)}: all ${items} items will ask the same${price}: ${cause}`;
}

export function sharedChance({ size, distinct }: RequestTable, temperature: number): string {
  return (
    `dedupe: ${size - distinct} items share the answer of another, though at temperature ${temperature} ` +
    "each would have got its own: leave dedupe out where the differences are wanted"
  );
}
