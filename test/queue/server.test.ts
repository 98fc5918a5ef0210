import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { inspect } from "node:util";
import type { Worker } from "node:worker_threads";

import { afterEach, describe, expect, test } from "vitest";

import { type Connection, connect } from "../../src/queue/connection.ts";
import { consumeRunQueue } from "../../src/queue/consumer.ts";
import { type EmbeddedValkey, startEmbeddedValkey } from "../../src/queue/embedded.ts";
import { openRunQueue } from "../../src/queue/run-queue.ts";
import { type QueueServer, startQueueServer } from "../../src/queue/server.ts";
import type { RedisAccess } from "../../src/system/env.ts";
import { anItem } from "../fakes/outcomes.ts";
import { addAlone, missingAlone } from "./alone.ts";
import { SERVER_KINDS, startRedis, type TestServer, until } from "./servers.ts";

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

  /** A consumer of one run's queue on it, what it was handed, and what it complained of. */
  async function consuming(socketPath: string) {
    connection = await connect(socketPath);
    const place = { connection, prefix: "nightshift", runId: "run" };
    const queue = openRunQueue(place, () => {});
    const handed = new Set<number>();
    const errors: string[] = [];
    const consumer = consumeRunQueue({
      ...place,
      name: "owner",
      capacity: 2,
      handle: ({ item }) => {
        handed.add(item.index);
        return Promise.resolve("done");
      },
      onError: ({ message }) => errors.push(message),
    });
    consumer.start();
    return {
      connection,
      queue,
      handed,
      errors,
      [Symbol.asyncDispose]: async () => {
        await consumer.close();
        await queue.close();
      },
    };
  }

  /** Ends the thread, and waits until the one after it answers. */
  async function restarted(thread: Worker, connected: Connection): Promise<void> {
    const back = new Promise((resolve) => connected.once("ready", resolve));
    await thread.terminate();
    await back;
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
    await using scene = await consuming(valkey.socketPath);
    const { queue, handed } = scene;
    await addAlone(queue, [anItem(0)]);
    await until(() => handed.has(0));
    await restarted(thread, scene.connection);
    expect(await scene.connection.dbsize()).toBeLessThanOrEqual(1);
    expect(await missingAlone(queue, [1])).toEqual([1]);
    await addAlone(queue, [anItem(1)]);
    await until(() => handed.has(1));
  });

  test("a consumer that lost it while it was connecting takes items when it is back", async () => {
    const { thread, valkey } = await started();
    await using scene = await consuming(valkey.socketPath);
    const { queue, handed, errors } = scene;
    await restarted(thread, scene.connection);
    await addAlone(queue, [anItem(1)]);
    await until(() => handed.has(1));
    expect(errors).toContain("Connection is closed.");
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

function at(address: string): RedisAccess {
  return { address, prefix: "nightshift", tls: { ca: null, cert: null, key: null } };
}

describe("the queue's server", () => {
  test("is an embedded one where no address is given", async () => {
    const server = await startQueueServer(null, NEVER);
    expect(await server.connection.ping()).toBe("PONG");
    await server.close();
  });

  test("is refused with what to do when nobody answers at the address", async () => {
    await expect(startQueueServer(at("/nowhere/redis.sock"), NEVER)).rejects.toThrow(
      /^Redis at \/nowhere\/redis\.sock does not answer: .*ENOENT.* `nightshift run` without either brings its own\.$/,
    );
  });

  test.each(["localhost", "http://localhost:6379", "redis://", "redis:///0", ""])(
    "is refused when the address is %j",
    async (address) => {
      await expect(startQueueServer(at(address), NEVER)).rejects.toThrow("is no Redis address");
    },
  );

  test.skipIf(SERVER_KINDS.some(({ isMissing }) => isMissing))(
    "is refused at once when it wants another password, which the message does not show",
    async () => {
      const redis = await startRedis("--requirepass", "right");
      const refused = connect(redis.address);
      await expect(refused).rejects.toThrow(/cannot be used: NOAUTH .* It wants a password/);
      const wrong = connect(`unix://default:hush@${redis.address}`);
      await expect(wrong).rejects.toThrow(
        /cannot be used: WRONGPASS .* User or password are wrong/,
      );
      const thrown = inspect(await wrong.catch((error: unknown) => error), { depth: 9 });
      expect(thrown).not.toContain("hush");
      await redis.close();
    },
  );

  describe.skipIf(SERVER_KINDS.some(({ isMissing }) => isMissing))("on a Redis", () => {
    let redis: TestServer;
    let server: QueueServer | undefined;
    afterEach(async () => {
      await server?.close();
      await redis.close();
    });

    test("uses the database that the address names", async () => {
      redis = await startRedis();
      server = await startQueueServer(at(`unix://${redis.address}?db=3`), NEVER);
      await server.connection.set("x", 1);
      expect(await server.connection.info("keyspace")).toContain("db3:keys=1");
    });

    test("is refused when there is no such database", async () => {
      redis = await startRedis("--databases", "2");
      await expect(startQueueServer(at(`unix://${redis.address}?db=3`), NEVER)).rejects.toThrow(
        /DB index is out of range\. It has no database of that number/,
      );
    });

    test("is warned of when it may throw items away", async () => {
      redis = await startRedis("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru");
      server = await startQueueServer(at(redis.address), NEVER);
      expect(server.warnings).toEqual([expect.stringContaining("50 MB are full")]);
      expect(server.hint).toContain("keeps nothing on disk");
    });

    test("brings no warning when it is set up as it should be", async () => {
      redis = await startRedis("--appendonly", "yes");
      server = await startQueueServer(at(redis.address), NEVER);
      expect([server.warnings, server.hint]).toEqual([[], null]);
    });

    test("says when a CA is named for a connection without TLS", async () => {
      redis = await startRedis();
      const access = { ...at(redis.address), tls: { ca: "/ca.pem", cert: null, key: null } };
      server = await startQueueServer(access, NEVER);
      expect(server.warnings).toEqual([expect.stringContaining("is not encrypted, although")]);
    });

    test("is refused in cluster mode", async () => {
      redis = await startRedis("--cluster-enabled", "yes");
      await expect(startQueueServer(at(redis.address), NEVER)).rejects.toThrow(
        /cannot be used: it runs in cluster mode/,
      );
    });

    test("is refused when it is a replica", async () => {
      redis = await startRedis("--replicaof", "127.0.0.1 1");
      await expect(startQueueServer(at(redis.address), NEVER)).rejects.toThrow(
        /cannot be used: it is a replica/,
      );
    });
  });
});
