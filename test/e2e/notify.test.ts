import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, it } from "vitest";

import { reviewsCsv, reviewsJob } from "./support/reviews.ts";
import { RunDirectory } from "./support/run-directory.ts";
import { until } from "./support/until.ts";
import { World } from "./support/world.ts";

interface Notice {
  readonly event: string;
  readonly run_id: string;
  readonly items: { readonly completed: number; readonly failed: number };
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A receiver at an address that stays, whether it is up or not. */
class Receiver implements AsyncDisposable {
  readonly notices: Notice[] = [];
  answer: Answer = (response) => response.end();
  readonly #server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      this.notices.push(JSON.parse(body) as Notice);
      this.answer(response, request);
    });
  });
  port = 0;

  async up(): Promise<this> {
    await new Promise<void>((up) => this.#server.listen(this.port, "127.0.0.1", up));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async down(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((down) => this.#server.close(down));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  get job(): string {
    return `notify: { webhook: "http://127.0.0.1:${this.port}/hook/very-secret" }`;
  }
}

async function openWorld(receiver: Receiver): Promise<World> {
  const world = await World.open();
  await world.write("reviews.csv", reviewsCsv(20));
  await world.write("reviews.yaml", reviewsJob(receiver.job));
  return world;
}

it("tells how a run went, once, and keeps the webhook's address to itself", async () => {
  await using receiver = await new Receiver().up();
  await using world = await openWorld(receiver);
  const done = await world.nightshift(["run", "reviews.yaml", "--out", "run"]);
  expect(done.code).toBe(0);
  expect(receiver.notices).toMatchObject([
    { event: "run.finished", items: { completed: 20, failed: 0 } },
  ]);
  const run = new RunDirectory(world.path("run"));
  expect(receiver.notices[0]?.run_id).toBe((await run.manifest()).run_id);
  const texts = await Promise.all(["run.json", "run.log"].map((name) => run.text(name)));
  expect([...texts, done.stderr, done.stdout].join("")).not.toContain("very-secret");

  await world.nightshift(["run", "reviews.yaml", "--out", "run"]);
  expect(receiver.notices).toHaveLength(1);
});

it.each<[string, Answer | null]>([
  ["down", null],
  ["slow: it never answers", () => {}],
  ["lying: it leads elsewhere", (response) => response.writeHead(302, { location: "/" }).end()],
])(
  "a receiver that is %s does not delay the run, and is told once it is back",
  async (_name, answer) => {
    await using receiver = await new Receiver().up();
    await using world = await openWorld(receiver);
    if (answer === null) await receiver.down();
    else receiver.answer = answer;

    const running = world.start(["run", "reviews.yaml", "--out", "run", "--json"]);
    await until("the run has ended", () => running.stdout.includes('"event":"ended"'));
    const toldEnd = performance.now();
    const { code, stderr } = await running.exit;
    expect(code).toBe(0);
    if (answer === null) {
      expect(stderr).toMatch(
        /warning: the webhook at 127\.0\.0\.1:\d+ was not told of run reviews-\S+: .*; the next run or scheduler tries again\n/,
      );
    }
    // What the command line waits at most for what it has begun; the run had ended before.
    expect(performance.now() - toldEnd).toBeLessThan(6_000);
    expect((await new RunDirectory(world.path("run")).manifest()).state).toBe("finished");

    receiver.notices.length = 0;
    receiver.answer = (response) => response.end();
    if (answer === null) await receiver.up();
    await world.write("jobs/other.yaml", reviewsJob('schedule: { cron: "0 0 1 1 *" }'));
    const scheduler = world.start(["scheduler", "jobs"]);
    await until("it was told", () => receiver.notices.length > 0);
    scheduler.kill("SIGTERM");
    expect((await scheduler.exit).code).toBe(0);
    expect(receiver.notices).toMatchObject([{ event: "run.finished" }]);
  },
);

it("tells of a run that paused, and of a tick that was refused", async () => {
  await using receiver = await new Receiver().up();
  await using world = await openWorld(receiver);
  const paused = ["run", "reviews.yaml", "--budget-requests", "3", "--concurrency", "1"];
  expect((await world.nightshift(paused)).code).toBe(3);
  expect(receiver.notices).toMatchObject([{ event: "run.paused", reason: { code: "budget" } }]);

  await world.write(
    "jobs/none.yaml",
    reviewsJob(receiver.job, 'schedule: { cron: "* * * * * *" }'),
  );
  const scheduler = world.start(["scheduler", "jobs"]);
  await until("it is told", () => receiver.notices.some(({ event }) => event === "tick.skipped"));
  scheduler.kill("SIGTERM");
  expect((await scheduler.exit).code).toBe(0);
  expect(receiver.notices[1]).toMatchObject({ job: "none", reason: "refused" });
  expect(await readFile(world.path("runs/.schedule/none/ticks.jsonl"), "utf8")).toContain(
    "refused",
  );
});
