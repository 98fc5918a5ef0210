import type { Random } from "../../../src/system/random.ts";
import type { Site } from "./site.ts";

/** How a drill is to be done. */
export interface Manner {
  readonly random: Random;
  readonly seed: number;
  /** Small enough to be done within seconds. */
  readonly short: boolean;
}

/** One figure that a drill found, and the mark that it was to meet. */
export interface Finding {
  readonly what: string;
  readonly figure: string;
  /** Empty where the figure is only told. */
  readonly mark: string;
  readonly met: boolean;
}

/** What a drill found, or why it could not be done here. */
export type Findings = readonly Finding[] | { readonly skipped: string };

export type Drill = (site: Site, manner: Manner) => Promise<Findings>;

/** A figure that must be exactly so. */
export function exactly(what: string, figure: number, mark: number): Finding {
  return { what, figure: figures(figure), mark: figures(mark), met: figure === mark };
}

export function atMost(what: string, figure: number, mark: number, unit = ""): Finding {
  return {
    what,
    figure: `${figures(figure)}${unit}`,
    mark: `<= ${figures(mark)}${unit}`,
    met: figure <= mark,
  };
}

export function atLeast(what: string, figure: number, mark: number): Finding {
  return { what, figure: figures(figure), mark: `>= ${figures(mark)}`, met: figure >= mark };
}

/** A figure without a mark. */
export function told(what: string, figure: number | string): Finding {
  return {
    what,
    figure: typeof figure === "number" ? figures(figure) : figure,
    mark: "",
    met: true,
  };
}

/** Something that must be so; `found` says how it is. */
export function mustBe(what: string, met: boolean, found: string): Finding {
  return { what, figure: met ? "yes" : found, mark: "yes", met };
}

function figures(value: number): string {
  return (Math.round(value * 100) / 100).toLocaleString("en").replaceAll(",", " ");
}
