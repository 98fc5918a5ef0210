import { execFileSync } from "node:child_process";
import { cpSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { Bench } from "../harness/bench.ts";
import { figure, megabytes } from "../harness/statistics.ts";
import { table } from "../harness/table.ts";

const ROOT = join(import.meta.dirname, "../..");
const SHOWN = 10;
const INSTALL = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];

/** What Nightshift's runtime dependencies take on disk. */
export async function size(bench: Bench): Promise<string> {
  const directory = join(bench.directory, "size");
  mkdirSync(directory);
  for (const file of ["package.json", "package-lock.json"]) {
    cpSync(join(ROOT, file), join(directory, file));
  }
  bench.note("size: npm ci --omit=dev");
  execFileSync("npm", INSTALL, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });

  const packages = packagesIn(join(directory, "node_modules")).sort((a, b) => b.bytes - a.bytes);
  const total = packages.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    `size: ${packages.length} packages at runtime, ${figure(megabytes(total), 1)} MB`,
    table(
      ["largest", "MB", "share"],
      packages
        .slice(0, SHOWN)
        .map(({ name, bytes }) => [
          name,
          figure(megabytes(bytes), 2),
          `${figure((bytes / total) * 100)}%`,
        ]),
    ),
  ].join("\n\n");
}

interface InstalledPackage {
  readonly name: string;
  readonly bytes: number;
}

/** The packages at the top of node_modules; those nested in one count as part of it. */
function packagesIn(modules: string): InstalledPackage[] {
  return readdirSync(modules)
    .flatMap((name) =>
      name.startsWith("@")
        ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`)
        : [name],
    )
    .filter((name) => !name.startsWith("."))
    .map((name) => ({ name, bytes: bytesUnder(join(modules, name)) }));
}

function bytesUnder(path: string): number {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesUnder(join(path, name)), 0);
}
