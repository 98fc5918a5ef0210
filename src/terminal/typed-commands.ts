/** Where our texts name a command to type: in backticks, after a prompt or `Usage:`, or in a column of its own. */
const COMMAND =
  /(?<=`|\$ (?:[A-Z_]+=\S+ )*|Usage: | {2}|\p{Cc}\[\d+m)nightshift(?= (?:[a-z]|\[options\]))/gu;

/** Text for people with its commands as they are typed here: pasted, they work. */
export function withTypedCommands(text: string, launcher: string): string {
  return launcher === "nightshift" ? text : text.replaceAll(COMMAND, launcher);
}
