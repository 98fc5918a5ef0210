/** Servers that the bench starts for itself and ends with itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const STARTS_WITHIN_MS = 15_000;

/** A server of the bench: where it listens and how to end it. */
export interface Service {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the stand-in gateway: `<cli> sandbox` with these flags. */
export async function startGateway(cli: string, ...flags: readonly string[]): Promise<Service> {
  const port = await freePort();
  const args = [cli, "sandbox", "--port", String(port), "--json", ...flags];
  const child = startChild(process.execPath, args);
  await untilListening("the sandbox", child, port);
  return { url: `http://127.0.0.1:${port}/v1`, stop: () => stop(child) };
}

/** Starts a Redis that keeps nothing on disk. */
export async function startRedis(): Promise<Service> {
  const port = await freePort();
  const flags = { port, bind: "127.0.0.1", save: "", appendonly: "no" };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = startChild("redis-server", args);
  await untilListening("redis-server", child, port);
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(child) };
}

/** Whether this machine has a `redis-server`. */
export async function hasRedis(): Promise<boolean> {
  const child = spawn("redis-server", ["--version"], { stdio: "ignore" });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

function startChild(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: "ignore" });
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function untilListening(name: string, child: ChildProcess, port: number): Promise<void> {
  const giveUpAt = performance.now() + STARTS_WITHIN_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      await stop(child);
      throw new Error(`${name} did not start on port ${port}`);
    }
    await delay(20);
  }
}

function accepts(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port to be had");
  return address.port;
}
