import { UsageError } from "../errors.ts";

/** `date` (YYYY-MM-DD) and `time` (HHmmss) of an instant; a null zone is this machine's. */
export function dateAndTime(
  now: number,
  timeZone: string | null,
): { readonly date: string; readonly time: string } {
  const moment = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short",
    timeStyle: "medium",
    ...(timeZone !== null && { timeZone }),
  }).format(now);
  const [date = "", time = ""] = moment.split(" ");
  return { date, time: time.replaceAll(":", "") };
}

/**
 * A path with its `{{ placeholders }}` filled in.
 *
 * @param field that it stands in, with the job file, for messages.
 * @throws UsageError for a placeholder that is none.
 */
export function fillPlaceholders(
  template: string,
  field: string,
  values: Readonly<Record<string, string>>,
): string {
  const known = Object.keys(values).map((name) => `{{ ${name} }}`);
  const list = `${known.slice(0, -1).join(", ")} or ${known.at(-1)}`;
  const path = template.replaceAll(/\{\{\s*(.*?)\s*\}\}/g, (_whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) {
      throw new UsageError(`${field}: unknown placeholder {{ ${name} }}: use ${list}`);
    }
    return value;
  });
  if (path.trim() === "" || /\{\{|\{%/.test(path)) {
    throw new UsageError(
      `${field}: ${JSON.stringify(template)} names no path: write one, in which ${list.replace(/ or /, " and ")} may stand`,
    );
  }
  return path;
}
