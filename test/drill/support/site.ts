import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Sandbox, type SandboxOptions, startSandbox } from "../../../src/sandbox/sandbox.ts";
import { type Exit, Running } from "../../e2e/support/process.ts";
import { RunDirectory } from "../../e2e/support/run-directory.ts";

type Variables = Readonly<Record<string, string>>;

/** Where a drill takes place: a user's directory, the built command line, and what was opened. */
export class Site {
  readonly directory: string;
  readonly #cli: string;
  readonly #closers: (() => Promise<void>)[] = [];
  #gateway: Sandbox | null = null;

  private constructor(directory: string, cli: string) {
    this.directory = directory;
    this.#cli = cli;
  }

  static async open(name: string, cli: string): Promise<Site> {
    const directory = await mkdtemp(join(tmpdir(), `drill-${name}-`));
    await mkdir(join(directory, "tmp"));
    return new Site(directory, cli);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async write(name: string, content: string): Promise<void> {
    await writeFile(this.path(name), content);
  }

  /** Starts a sandbox; the command line asks the one that was started last. */
  async serve(options: SandboxOptions): Promise<Sandbox> {
    const gateway = await startSandbox(options);
    this.#gateway = gateway;
    this.closing(() => gateway.close());
    return gateway;
  }

  /**
   * Starts a command line.
   *
   * @param enter what comes before it, to run it elsewhere.
   */
  start(
    args: readonly string[],
    variables: Variables = {},
    enter: readonly string[] = [],
  ): Running {
    const env = {
      PATH: process.env["PATH"] ?? "",
      TMPDIR: this.path("tmp"),
      XDG_STATE_HOME: this.path("state"),
      NIGHTSHIFT_BASE_URL: this.#gateway?.url ?? "",
      NIGHTSHIFT_API_KEY: "sk-demo",
      ...variables,
    };
    const [file = "", ...rest] = [...enter, process.execPath, this.#cli, ...args];
    const running = new Running(file, rest, {
      cwd: this.directory,
      env,
    });
    this.closing(() => running[Symbol.asyncDispose]());
    return running;
  }

  /** Runs a command line to its end. */
  nightshift(args: readonly string[], variables: Variables = {}): Promise<Exit> {
    return this.start(args, variables).exit;
  }

  /** The run directories that nobody named. */
  async runs(): Promise<RunDirectory[]> {
    const names = await readdir(this.path("runs")).catch(() => []);
    return names.map((name) => new RunDirectory(this.path(join("runs", name))));
  }

  /** Has something closed when the drill ends. */
  closing(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Ends whatever was started; the files stay. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
