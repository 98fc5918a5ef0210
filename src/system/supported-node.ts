// To be imported before anything else, and importing nothing: an older Node could not load the rest.

const OLDEST_NODE = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  throw new Error(
    `nightshift needs Node ${OLDEST_NODE.join(".")} or newer, and this is ${process.versions.node}.`,
  );
}

export {};
