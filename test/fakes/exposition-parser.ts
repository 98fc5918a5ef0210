/** What one scrape says, checked against Prometheus' text format 0.0.4. */
export class Scrape {
  readonly types = new Map<string, string>();
  readonly #samples = new Map<string, number>();

  /** @throws Error that names the first line which a Prometheus would not take. */
  constructor(text: string) {
    if (!text.endsWith("\n")) throw new Error("the last line has no end");
    const helped = new Set<string>();
    const finished = new Set<string>();
    let family = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const fail = (why: string): never => {
        throw new Error(`${why}: ${line}`);
      };
      const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
      if (keyword !== undefined) {
        if (!NAME.test(name)) fail("no name of a metric");
        if (name !== family) finished.add(family);
        if (finished.has(name)) fail("a family in two places");
        family = name;
        if (keyword === "HELP" && helped.has(name)) fail("a second HELP");
        if (keyword === "HELP") helped.add(name);
        if (keyword === "TYPE" && this.types.has(name)) fail("a second TYPE");
        if (keyword === "TYPE") this.types.set(name, rest);
        continue;
      }
      if (line.startsWith("#")) continue;
      const [, sample = "", labels = "", value = ""] =
        /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? fail("no sample");
      const type = this.types.get(family) ?? fail("a sample without a TYPE");
      const suffixes = type === "histogram" || type === "summary" ? SUFFIXES : [""];
      if (!suffixes.some((suffix) => sample === family + suffix)) fail("of another family");
      if (type === "counter" && !family.endsWith("_total")) fail("a counter without _total");
      if (!/^([+-]?Inf|nan)$/i.test(value) && !Number.isFinite(Number(value))) fail("no number");
      if (type === "counter" && Number(value) < 0) fail("a counter below 0");
      const key = keyOf(sample, parseLabels(labels) ?? fail("no labels"));
      if (this.#samples.has(key)) fail("the same series twice");
      this.#samples.set(key, Number(value.replace("Inf", "Infinity")));
    }
    for (const [name, type] of this.types) if (type === "histogram") this.#checkHistogram(name);
  }

  /** The value of a series; undefined where there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    return this.#samples.get(keyOf(name, labels));
  }

  /** The sum over all series of a name whose labels include these. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
    return [...this.#samples]
      .filter(([key]) => {
        const [sample, ...parts] = key.split("\n");
        return sample === name && wanted.every((part) => parts.includes(part));
      })
      .reduce((sum, [, value]) => sum + value, 0);
  }

  #checkHistogram(name: string): void {
    const rows = new Map<string, [le: number, count: number][]>();
    for (const [key, count] of this.#samples) {
      const [sample, ...parts] = key.split("\n");
      if (sample !== `${name}_bucket`) continue;
      const le = parts.find((part) => part.startsWith("le="))?.slice(3) ?? "";
      const others = parts.filter((part) => !part.startsWith("le=")).join("\n");
      const row = rows.get(others) ?? [];
      rows.set(others, [...row, [Number(le.replace("Inf", "Infinity")), count]]);
    }
    for (const [labels, row] of rows) {
      row.sort(([a], [b]) => a - b);
      const rises = row.every(([, count], at) => count >= (row[at - 1]?.[1] ?? 0));
      const suffix = labels === "" ? "" : `\n${labels}`;
      const isWhole =
        row.at(-1)?.[0] === Infinity &&
        row.at(-1)?.[1] === this.#samples.get(`${name}_count${suffix}`) &&
        this.#samples.has(`${name}_sum${suffix}`);
      if (!rises || !isWhole) throw new Error(`${name} is no histogram: ${JSON.stringify(row)}`);
    }
  }
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SUFFIXES = ["", "_bucket", "_sum", "_count"];

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => a.localeCompare(b));
  return [name, ...sorted.map(([label, value]) => `${label}=${value}`)].join("\n");
}

function parseLabels(text: string): Record<string, string> | null {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const [whole, name, value] =
      /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest) ?? [];
    if (whole === undefined || name === undefined || value === undefined) return null;
    if (name in labels) return null;
    labels[name] = value.replaceAll(/\\(.)/g, (_, sign: string) => (sign === "n" ? "\n" : sign));
    rest = rest.slice(whole.length);
  }
  return labels;
}
