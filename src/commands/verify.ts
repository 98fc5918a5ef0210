import { verifyRun } from "../ledger/verify.ts";
import { plural } from "../terminal/format.ts";
import { EXIT, type ExitCode, type Io } from "./io.ts";

/** Proves that a run directory is whole, or says what is wrong with it. */
export async function verifyCommand(
  directory: string,
  flags: { readonly json?: boolean; readonly quiet?: boolean },
  io: Io,
): Promise<ExitCode> {
  const report = await verifyRun(directory);
  const ok = report.faults.length === 0;
  if (flags.json === true) {
    const { runId, ...rest } = report;
    io.stdout.write(`${JSON.stringify({ event: "verified", ok, run_id: runId, ...rest })}\n`);
  }
  if (ok && flags.json !== true && flags.quiet !== true) {
    const { items, completed, failed, pending } = report;
    io.stdout.write(
      `${directory} is whole: ${items === null ? "? items" : plural(items, "item")} = ${completed} completed + ${failed} failed + ${pending ?? "?"} pending, ` +
        "none twice, no torn line\n",
    );
  }
  if (!ok && flags.json !== true) {
    io.stderr.write(
      `${directory} has ${plural(report.faults.length, "fault")}:\n${report.faults.map((fault) => `  ${fault}\n`).join("")}`,
    );
  }
  return ok ? EXIT.ok : EXIT.usage;
}
