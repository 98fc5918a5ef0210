import { execFileSync } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The tests run what users run: `dist/`, built again when the source is newer. */
export function setup(): void {
  const newest = Math.max(...globSync("src/**/*.ts", { cwd: ROOT }).map(changedAt));
  if (newest <= changedAt("dist/cli.js")) return;
  execFileSync("npm", ["run", "build"], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
}

function changedAt(path: string): number {
  return statSync(`${ROOT}/${path}`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
