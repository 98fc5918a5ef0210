import { execFileSync } from "node:child_process";

/** A host of its own on this machine: its own network, reached through a bridge. */
export interface Host {
  readonly address: string;
  /** What runs a command on this host: put it before the command. */
  readonly enter: readonly string[];
  /** Takes the cable out, or puts it in again. */
  cable(plugged: boolean): void;
  /** Makes the link slow and lossy; false where this kernel cannot. */
  degrade(delayMs: number, lossPercent: number): boolean;
}

const BRIDGE = "nshift0";
const NETWORK = "10.173.90";

/** Whether this process may make networks. */
export function mayMakeHosts(): boolean {
  return tried("ip", "netns", "add", "nshift-try") && tried("ip", "netns", "del", "nshift-try");
}

/**
 * Makes hosts on a network of their own. This machine itself is on it too, at `.1`.
 *
 * @returns the hosts in order, and what takes everything away again.
 */
export function makeHosts(count: number): { hosts: readonly Host[]; close: () => void } {
  const close = (): void => {
    for (let at = 0; at < count; at += 1) tried("ip", "netns", "del", `nshift-${at}`);
    tried("ip", "link", "del", BRIDGE);
  };
  close();
  run("ip", "link", "add", BRIDGE, "type", "bridge");
  run("ip", "addr", "add", `${NETWORK}.1/24`, "dev", BRIDGE);
  run("ip", "link", "set", BRIDGE, "up");
  const hosts = Array.from({ length: count }, (_, at) => makeHost(at));
  return { hosts, close };
}

function makeHost(at: number): Host {
  const [name, outside, inside] = [`nshift-${at}`, `nshift-o${at}`, `nshift-i${at}`];
  const address = `${NETWORK}.${at + 10}`;
  const enter = ["ip", "netns", "exec", name];
  run("ip", "netns", "add", name);
  run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside);
  run("ip", "link", "set", inside, "netns", name);
  run("ip", "link", "set", outside, "master", BRIDGE);
  run("ip", "link", "set", outside, "up");
  run(...enter, "ip", "addr", "add", `${address}/24`, "dev", inside);
  run(...enter, "ip", "link", "set", inside, "up");
  run(...enter, "ip", "link", "set", "lo", "up");
  return {
    address,
    enter,
    cable: (plugged) => run("ip", "link", "set", outside, plugged ? "up" : "down"),
    degrade: (delayMs, lossPercent) => {
      const how = ["netem", "delay", `${delayMs}ms`, "loss", `${lossPercent}%`];
      return tried("tc", "qdisc", "add", "dev", outside, "root", ...how);
    },
  };
}

function run(...command: readonly string[]): void {
  const [file = "", ...args] = command;
  execFileSync(file, args, { stdio: ["ignore", "ignore", "pipe"] });
}

function tried(...command: readonly string[]): boolean {
  try {
    run(...command);
    return true;
  } catch {
    return false;
  }
}
