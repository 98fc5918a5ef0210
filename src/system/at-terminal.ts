import { isatty } from "node:tty";

/**
 * Whether a terminal started this process, so that a SIGHUP means it was closed. Node hears that
 * signal even where nohup had it ignored, and cannot ask: what tells is that nohup leaves nothing
 * of the terminal. Only the nohup of other systems than Linux lets standard input be.
 */
export function isAtTerminal(
  isTerminal: (fd: number) => boolean = isatty,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return isTerminal(1) || isTerminal(2) || (platform === "linux" && isTerminal(0));
}
