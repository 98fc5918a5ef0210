import { writeFile } from "node:fs/promises";

import { expect, test } from "vitest";

import { FILES } from "../../../src/ledger/files.ts";
import { formatLine } from "../../../src/ledger/line.ts";
import { countVanished } from "../../../src/ledger/vanished.ts";
import { aCompleted, RUN_ID, runDirectory } from "./run-directory.ts";

test("an item has vanished when neither its request nor its id is there any more", async () => {
  await using directory = await runDirectory();
  const lines = ["same", "renamed", "changed", "gone", "gone too"].map((customId, index) =>
    formatLine(RUN_ID, aCompleted(index, { customId }), String(index).repeat(32)),
  );
  await writeFile(directory.file(FILES.results), `${lines.join("\n")}\n{"id":"torn`);
  const asked = new Set(["00", "11"]);
  const ids = new Set(["same", "new name", "changed"]);
  const vanished = await countVanished(
    directory.path,
    RUN_ID,
    (request) => asked.has(request.toString("hex", 0, 1)),
    (id) => ids.has(id),
  );
  expect(vanished).toBe(2);
});
