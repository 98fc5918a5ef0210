import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

describe("Dockerfile", () => {
  const text = readFileSync("Dockerfile", "utf8").replaceAll("\\\n", "");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const stages = text.split(/^(?=FROM )/m).slice(1);

  it("builds in one stage and keeps in the next only what runs", () => {
    expect(lines.filter((line) => line.startsWith("FROM "))).toEqual([
      "FROM node:24-slim AS build",
      "FROM node:24-slim",
    ]);
    expect(stages[0]).toMatch(/npm ci --ignore-scripts[\s\S]*npm run build.*npm prune --omit=dev/);
    expect(stages[1]).not.toMatch(/npm|src|tsconfig/);
  });

  it("runs on the Node that the package asks for", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as {
      engines: { node: string };
    };
    expect(24).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
  });

  it("copies what is there, and .dockerignore lets through exactly that", () => {
    const sources = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from"))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources).toEqual(["package.json", "package-lock.json", "tsconfig.json", "src"]);
    for (const source of sources) expect(existsSync(source)).toBe(true);
    const ignored = readFileSync(".dockerignore", "utf8").split("\n");
    expect(ignored.filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
      "*",
      ...sources.map((source) => `!${source}`),
    ]);
  });

  it("is nobody's root, and tells whether it is well", () => {
    const [, last = ""] = stages;
    expect(last.indexOf("USER node")).toBeGreaterThan(last.lastIndexOf("RUN "));
    expect(last).toContain("HEALTHCHECK");
  });

  it("asks for its health where its command serves it", () => {
    const [, command = "[]"] = /^CMD (\[.*\])$/m.exec(text) ?? [];
    expect(JSON.parse(command)).toEqual(["worker", "--metrics-port", "0.0.0.0:9464"]);
    const [, check = "[]"] = /HEALTHCHECK .*?CMD (\[.*\])$/m.exec(text) ?? [];
    const [node, , script = ""] = JSON.parse(check) as string[];
    expect([node, script]).toEqual(["node", expect.stringContaining("127.0.0.1:9464/healthz")]);
    // Nobody is there: it must say so.
    const elsewhere = script.replace(":9464", ":1");
    expect(spawnSync(process.execPath, ["-e", elsewhere]).status).toBe(1);
  });
});

describe.each(["nightshift-worker@.service", "nightshift-scheduler.service"])("%s", (file) => {
  it("finds the command wherever `npm link` has put it", () => {
    const text = readFileSync(join("deploy", file), "utf8");
    const { bin } = JSON.parse(readFileSync("package.json", "utf8")) as { bin: object };
    const [, path, command = ""] = /^ExecStart=(\S+) (\S+)/m.exec(text) ?? [];
    expect([path, Object.keys(bin)]).toEqual(["/usr/bin/env", [command]]);
  });
});

describe("the systemd unit of a worker", () => {
  const file = "nightshift-worker@.service";
  const text = readFileSync(join("deploy", file), "utf8");
  const setting = (name: string): string[] =>
    [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);

  it("lets a call of the default timeout end before it is killed", () => {
    expect(Number(setting("TimeoutStopSec"))).toBeGreaterThan(60);
    expect(setting("KillSignal")).toEqual(["SIGTERM"]);
  });

  it("tries again after a crash, not after a refused key", () => {
    expect(setting("Restart")).toEqual(["on-failure"]);
    expect(setting("RestartPreventExitStatus")).toEqual(["3"]);
  });

  it("is nobody's root, reads its key from a file, and lets V8 compile", () => {
    expect(setting("DynamicUser")).toEqual(["yes"]);
    expect(setting("EnvironmentFile")).toEqual(["/etc/nightshift/worker.env"]);
    expect(setting("ProtectSystem")).toEqual(["strict"]);
    expect(setting("MemoryDenyWriteExecute")).toEqual([]);
  });

  const canVerify = spawnSync("systemd-analyze", ["--version"]).status === 0;
  it.skipIf(!canVerify)("is accepted by systemd", () => {
    const directory = mkdtempSync(join(tmpdir(), "nightshift-unit-"));
    const unit = join(directory, file.replace("@", "@9464"));
    writeFileSync(unit, text);
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
    rmSync(directory, { recursive: true, force: true });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
