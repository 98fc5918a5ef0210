import type { Ledger } from "../ledger/ledger.ts";
import type { Manifest } from "../ledger/manifest.ts";
import type { Wanted } from "../ledger/select.ts";
import type { Log } from "../system/log.ts";
import type { Scene } from "./scene.ts";

/** What a sitting works on. */
export interface WorkParts {
  readonly scene: Scene;
  readonly manifest: Manifest;
  /** Whether an earlier sitting may have left something of the run in a shared Redis. */
  readonly wasLeft: boolean;
  readonly ledger: Ledger;
  readonly wanted: Wanted;
  /** Those of the wanted items that are to be asked now; absent where that is all of them. */
  readonly asking?: Pick<Wanted, "has">;
  readonly log: Log;
}
