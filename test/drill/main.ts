/** `npm run drill -- [names…] [--seed N] [--short]`: breaks things on purpose and reports what held. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { messageOf } from "../../src/errors.ts";
import { seededRandom } from "../../src/system/random.ts";
import { setup as buildWhenStale } from "../e2e/support/build-when-stale.ts";
import { account } from "./account.ts";
import { cutLink } from "./cut-link.ts";
import { cutOwner } from "./cut-owner.ts";
import { diskFull } from "./disk-full.ts";
import { faults } from "./faults.ts";
import { fuzz } from "./fuzz.ts";
import { hosts } from "./hosts.ts";
import { killMany } from "./kill-many.ts";
import { killEmbedded, killRedis } from "./kill.ts";
import { outage } from "./outage.ts";
import type { Drill, Findings } from "./support/finding.ts";
import { allMet, type Done, renderReport } from "./support/report.ts";
import { Site } from "./support/site.ts";

const DRILLS: Readonly<Record<string, Drill>> = {
  "kill-embedded": killEmbedded,
  "kill-redis": killRedis,
  "kill-many": killMany,
  "cut-link": cutLink,
  "cut-owner": cutOwner,
  hosts,
  outage,
  faults,
  account,
  "disk-full": diskFull,
  fuzz,
};

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    short: { type: "boolean", default: false },
    cli: { type: "string" },
  },
});
const seed = Number(flags.seed);
const cli = resolve(flags.cli ?? join(import.meta.dirname, "../../dist/cli.js"));
const wanted = positionals.length === 0 ? Object.keys(DRILLS) : positionals;
const drills = wanted.map((name) => [name, drillNamed(name)] as const);

if (flags.cli === undefined) buildWhenStale();
console.error(`seed ${seed}`);
const done: Done[] = [];
for (const [name, drill] of drills) done.push(await carryOut(name, drill));
console.log(renderReport(done, process.stdout.isTTY));
process.exitCode = done.every(allMet) ? 0 : 1;

function drillNamed(name: string): Drill {
  const drill = DRILLS[name];
  if (drill !== undefined) return drill;
  throw new Error(`no drill \`${name}\`; there are ${Object.keys(DRILLS).join(", ")}`);
}

/** Each drill begins with the same seed, alone or after others. */
async function carryOut(name: string, drill: Drill): Promise<Done> {
  console.error(`${name} …`);
  const began = performance.now();
  const site = await Site.open(name, cli);
  let findings: Findings;
  try {
    findings = await drill(site, { random: seededRandom(seed), seed, short: flags.short });
  } catch (error) {
    console.error(error);
    findings = [{ what: "came to its end", figure: messageOf(error), mark: "yes", met: false }];
  }
  const result = { name, findings, seconds: (performance.now() - began) / 1000 };
  if (!allMet(result)) console.error(`${name}: its files are kept in ${site.directory}`);
  await site.close();
  if (allMet(result)) await site.remove();
  return result;
}
