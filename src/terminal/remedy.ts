import { oneLine } from "./screen-text.ts";

/** Why a run does not go on, as `run.json` and the end of a run tell it. */
export interface ReasonView {
  readonly message: string;
  readonly remedy: string;
}

const CONTINUE = "Run the same command again: it goes on where it stopped.";

/** What to do about a run that stopped: always ends with how to continue. */
export function remedyText(remedy: string): string {
  const text = oneLine(remedy);
  return /same command/i.test(text) ? text : `${text} ${CONTINUE}`.trimStart();
}
