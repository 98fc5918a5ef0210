import type { Connection } from "./connection.ts";

/** Bytes that the whole server uses; null where it does not say. */
export async function redisMemory(connection: Connection): Promise<number | null> {
  try {
    const found = /^used_memory:(\d+)/m.exec(await connection.info("memory"));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}
