import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import * as z from "zod";

const letterSchema = z.object({
  /** The same at each attempt, so that a receiver can tell a repetition. */
  id: z.string(),
  url: z.string(),
  created_at: z.iso.datetime(),
  attempts: z.number(),
  not_before: z.iso.datetime(),
  notice: z.record(z.string(), z.unknown()),
});

/** Something that somebody is to be told, until they have acknowledged it. */
export type Letter = z.infer<typeof letterSchema>;

/** Writes down what is to be told; from here on no crash loses it. */
export async function putLetter(
  outbox: string,
  url: string,
  notice: Readonly<Record<string, unknown>>,
  now: number,
): Promise<void> {
  const at = new Date(now).toISOString();
  await writeLetter(outbox, {
    id: randomUUID(),
    url,
    created_at: at,
    attempts: 0,
    not_before: at,
    notice: { ...notice },
  });
}

/** Everything that waits, oldest first. What cannot be read is left where it is. */
export async function readLetters(outbox: string): Promise<Letter[]> {
  const names = await readdir(outbox).catch(() => []);
  const letters: Letter[] = [];
  for (const name of names.filter((one) => one.endsWith(".json"))) {
    try {
      letters.push(letterSchema.parse(JSON.parse(await readFile(join(outbox, name), "utf8"))));
    } catch {
      // Gone meanwhile, or somebody else's.
    }
  }
  return letters.sort((a, b) => a.created_at.localeCompare(b.created_at));
}

/** The address may hold a secret: nobody else may read it. */
export async function writeLetter(outbox: string, letter: Letter): Promise<void> {
  await mkdir(outbox, { recursive: true, mode: 0o700 });
  const path = pathOf(outbox, letter);
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(letter, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

export async function removeLetter(outbox: string, letter: Letter): Promise<void> {
  await rm(pathOf(outbox, letter), { force: true });
}

function pathOf(outbox: string, { id }: Letter): string {
  return join(outbox, `${id}.json`);
}
