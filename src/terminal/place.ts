import { isAbsolute, relative, sep } from "node:path";

/** A path as short as it can be: relative when it lies inside the working directory. */
export function shortPath(path: string, workingDirectory: string): string {
  const short = relative(workingDirectory, path);
  if (short === "") return ".";
  return short === ".." || short.startsWith(`..${sep}`) || isAbsolute(short) ? path : short;
}
