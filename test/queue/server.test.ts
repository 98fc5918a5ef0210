import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Worker } from "node:worker_threads";

import { afterEach, describe, expect, test } from "vitest";

import { type Connection, connect, redactAddress } from "../../src/queue/connection.ts";
import { type EmbeddedValkey, startEmbeddedValkey } from "../../src/queue/embedded.ts";
import { consumeRunQueue, openRunQueue } from "../../src/queue/run-queue.ts";
import { startQueueServer } from "../../src/queue/server.ts";
import { SERVER_KINDS, startRedis, until } from "./servers.ts";

describe("the embedded Valkey", () => {
  let valkey: EmbeddedValkey | undefined;
  let connection: Connection | undefined;
  afterEach(async () => {
    connection?.disconnect();
    await valkey?.close();
  });

  /** Starts it, and gives its thread too. */
  async function started(): Promise<{ thread: Worker; valkey: EmbeddedValkey }> {
    const threads: Worker[] = [];
    const onWorker = (thread: Worker): void => void threads.push(thread);
    process.on("worker", onWorker);
    valkey = await startEmbeddedValkey();
    process.off("worker", onWorker);
    const [thread] = threads;
    if (thread === undefined) throw new Error("no thread was started");
    return { thread, valkey };
  }

  test("can be reached by this user alone", async () => {
    const { valkey } = await started();
    expect((await stat(dirname(valkey.socketPath))).mode & 0o777).toBe(0o700);
  });

  test("leaves nothing behind when it is closed", async () => {
    const { valkey } = await started();
    await valkey.close();
    await expect(stat(dirname(valkey.socketPath))).rejects.toThrow("ENOENT");
  });

  test("starts again, empty, when its thread dies, and the queue on it heals", async () => {
    const { thread, valkey } = await started();
    connection = await connect(valkey.socketPath);
    const queue = openRunQueue("run", connection, () => {});
    const handed = new Set<number>();
    const consumer = consumeRunQueue(
      "run",
      connection,
      2,
      ({ index }) => Promise.resolve(void handed.add(index)),
      () => {},
    );
    const item = (index: number) => ({ index, customId: "a", model: "m", body: "{}" });
    consumer.start();
    await queue.add([item(0)]);
    await until(() => handed.has(0));

    const back = new Promise((resolve) => connection?.once("ready", resolve));
    await thread.terminate();
    await back;
    expect(await connection.dbsize()).toBeLessThanOrEqual(1);
    expect(await queue.missing([1])).toEqual([1]);
    await queue.add([item(1)]);
    await until(() => handed.has(1));
    await consumer.close();
    await queue.close();
  });

  test("stays closed when it is closed while its dead thread is being replaced", async () => {
    const { thread, valkey } = await started();
    const later: Worker[] = [];
    const onWorker = (replacement: Worker): void => void later.push(replacement);
    process.on("worker", onWorker);
    await thread.terminate();
    await valkey.close();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("worker", onWorker);
    await Promise.all(later.map((replacement) => replacement.terminate()));
    expect(later).toEqual([]);
  });
});

const NEVER = new AbortController().signal;

describe("the queue's server", () => {
  test("is an embedded one where no address is given", async () => {
    const server = await startQueueServer(null, NEVER);
    expect(await server.connection.ping()).toBe("PONG");
    await server.close();
  });

  test("is refused with what to do when nobody answers at the address", async () => {
    await expect(startQueueServer("/nowhere/redis.sock", NEVER)).rejects.toThrow(
      /^Redis at \/nowhere\/redis\.sock does not answer: .*ENOENT.* leave it out: then Nightshift brings its own\.$/,
    );
  });

  test.each(["localhost", "http://localhost:6379", "redis://", "redis:///0", ""])(
    "is refused when the address is %j",
    async (address) => {
      await expect(startQueueServer(address, NEVER)).rejects.toThrow("is no Redis address");
    },
  );

  test.skipIf(SERVER_KINDS.some(({ isMissing }) => isMissing))(
    "is refused at once when it wants another password, which the message does not show",
    async () => {
      const redis = await startRedis("--requirepass", "right");
      const refused = connect(redis.address);
      await expect(refused).rejects.toThrow(/does not answer: NOAUTH/);
      await redis.close();
    },
  );
});

describe("an address in a message", () => {
  test.each([
    ["redis://localhost:6379/2", "redis://localhost:6379/2"],
    ["rediss://user:secret@host:6379", "rediss://host:6379"],
    ["redis://:se@cret@host", "redis://host"],
    ["redis://:se/cret@host", "redis://host"],
    ["user:secret@host:6379", "host:6379"],
    ["unix:///tmp/redis.sock", "unix:///tmp/redis.sock"],
  ])("%s is shown as %s", (address, shown) => {
    expect(redactAddress(address)).toBe(shown);
  });
});
