import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { expect, it } from "vitest";

/**
 * What `node:` modules offer in Node 24 and do not in Node 20. A module that imports one of these
 * by name cannot even be linked there, and its SyntaxError comes before any word of ours.
 */
const NEWER: Readonly<Record<string, readonly string[]>> = {
  crypto: ["argon2", "argon2Sync", "decapsulate", "encapsulate", "randomUUIDv7"],
  fs: ["Utf8Stream", "glob", "globSync", "mkdtempDisposableSync"],
  "fs/promises": ["glob", "mkdtempDisposable"],
  http: ["CloseEvent", "MessageEvent", "WebSocket", "setGlobalProxyFromEnv"],
  module: ["enableCompileCache", "findPackageJSON", "registerHooks", "stripTypeScriptTypes"],
  net: ["BoundSocket"],
  process: ["execve", "finalization", "ref", "threadCpuUsage", "unref"],
  "stream/consumers": ["bytes"],
  tls: ["getCACertificates", "setDefaultCACertificates"],
  url: ["URLPattern", "fileURLToPathBuffer"],
  util: ["convertProcessSignalToExitCode", "diff", "getCallSites", "getSystemErrorMessage"],
  worker_threads: ["isInternalThread", "locks", "markAsUncloneable", "threadName"],
  zlib: ["createZstdCompress", "createZstdDecompress", "zstdCompress", "zstdDecompress"],
};

/** Imports that are there at run time: `import type` and `import()` are linked by nobody. */
const IMPORT = /^(?:import|export) (?!type )(?:([^;"]*?) from )?"([^"]+)";/gm;

interface Import {
  readonly by: string;
  readonly from: string;
  readonly names: readonly string[];
}

/** All that is imported before the first line of a module runs, by it and by what it imports. */
function linkedImports(entry: string): Import[] {
  const seen = new Set<string>();
  const found: Import[] = [];
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const [, clause = "", from = ""] of readFileSync(path, "utf8").matchAll(IMPORT)) {
      if (from.startsWith(".")) visit(resolve(dirname(path), from));
      const named = /\{([^}]*)\}/.exec(clause)?.[1] ?? "";
      const names = named
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
        .map((name) => name.split(" as ")[0] ?? name);
      found.push({ by: path, from, names });
    }
  };
  visit(resolve(entry));
  return found;
}

it.each(["src/index.ts", "src/cli.ts"])("%s can be linked by Node 20", (entry) => {
  const imports = linkedImports(entry);
  // The library is linked as a whole, the command line not at all before it knows its Node.
  expect(imports.some(({ from }) => from === "node:fs/promises")).toBe(entry === "src/index.ts");
  const tooNew = imports.flatMap(({ by, from, names }) => {
    if (from === "node:sqlite") return [`${by}: ${from}`];
    const newer = NEWER[from.replace(/^node:/, "")] ?? [];
    return names.filter((name) => newer.includes(name)).map((name) => `${by}: ${name} of ${from}`);
  });
  expect(tooNew).toEqual([]);
});
