import { listModels } from "../run/list-models.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Lists what the gateway offers to this key, one model a line. */
export async function modelsCommand(
  flags: { readonly baseUrl?: string; readonly json?: boolean },
  io: Io,
): Promise<ExitCode> {
  const models = await listModels(io.environment, flags.baseUrl ?? null, io.signal);
  io.stdout.write(
    flags.json === true
      ? models.map((model) => `${JSON.stringify({ event: "model", model })}\n`).join("")
      : models.map((model) => `${model}\n`).join(""),
  );
  return EXIT.ok;
}
