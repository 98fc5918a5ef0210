/** An instant as the record and the events write it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
