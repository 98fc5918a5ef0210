import { UsageError } from "../errors.ts";
import { faultNamed, faultNames } from "./fault.ts";
import type { Fault } from "./fault.ts";

/** How often which fault happens: shares of all attempts, together at most 1. */
export type Chaos = Readonly<Record<string, number>>;

/** Reads `429=0.05,500=0.02,timeout=0.01`. */
export function parseChaos(text: string): Chaos {
  const chaos: Record<string, number> = {};
  for (const part of text.split(",").map((part) => part.trim())) {
    if (part === "") continue;
    const match = /^([\w-]+)=(\d*\.?\d+)$/.exec(part);
    const [, name = "", rate = ""] = match ?? [];
    if (match === null) {
      throw new UsageError(`Chaos \`${part}\` must look like \`429=0.05\`.`);
    }
    chaos[name] = Number(rate);
  }
  checkChaos(chaos);
  return chaos;
}

/** Refuses unknown faults and shares that cannot be. */
export function checkChaos(chaos: Chaos): void {
  let sum = 0;
  for (const [name, rate] of Object.entries(chaos)) {
    if (faultNamed(name) === undefined) {
      throw new UsageError(
        `Chaos \`${name}\` is no fault. Use a status or one of: ${faultNames().join(", ")}.`,
      );
    }
    if (!(rate >= 0 && rate <= 1)) {
      throw new UsageError(`Chaos \`${name}=${rate}\` must be a share from 0 to 1.`);
    }
    sum += rate;
  }
  // Tenths do not add up exactly in binary.
  if (sum > 1 + 1e-9) throw new UsageError(`Chaos adds up to ${sum}; it must be at most 1.`);
}

/** Turns a number in [0, 1) into a fault, or into none. */
export function chaosDrawer(chaos: Chaos): (fraction: number) => Fault | undefined {
  const steps: { readonly upTo: number; readonly fault: Fault | undefined }[] = [];
  let sum = 0;
  for (const [name, rate] of Object.entries(chaos)) {
    sum += rate;
    steps.push({ upTo: sum, fault: faultNamed(name) });
  }
  return (fraction) => steps.find((step) => fraction < step.upTo)?.fault;
}
