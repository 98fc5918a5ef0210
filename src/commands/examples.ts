/** The examples at the end of a command's help, as they are typed. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ nightshift ${line}`).join("\n")}`;
}
