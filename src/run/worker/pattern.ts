/** Whether a name matches a pattern in which `*` stands for any text and `?` for one character. */
export function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/[.*+?^${}()|[\]\\]/g, (sign) =>
    sign === "*" ? ".*" : sign === "?" ? "." : `\\${sign}`,
  );
  return new RegExp(`^${source}$`, "s").test(name);
}
