/** The name most like `wanted`, if any is like it at all. */
export function nearest(wanted: string, names: readonly string[]): string | undefined {
  const same = names.find((name) => plain(name) === plain(wanted));
  if (same !== undefined) return same;
  const furthest = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = furthest + 1;
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) > furthest) continue;
    const distance = editDistance(wanted, name);
    if (distance < bestDistance && distance < wanted.length) {
      best = name;
      bestDistance = distance;
    }
  }
  // `{{ my column }}` asks for `my`.
  return best ?? names.find((name) => wanted !== "" && name.startsWith(`${wanted} `));
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]/g, "");
}

/** Levenshtein: insertions, deletions and replacements that turn one text into the other. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= to.length; at += 1) {
      const replaced = (previous[at - 1] ?? 0) + (from[row - 1] === to[at - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
