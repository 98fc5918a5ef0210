import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether certificates can be made here. */
export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** A certificate and its key, as PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A CA of one test suite's own. */
export class TestCa {
  readonly #directory = mkdtempSync(join(tmpdir(), "nightshift-ca-"));
  readonly #own = this.#path("ca");

  constructor() {
    this.#openssl("req", "-x509", ...this.#newKey("ca"), "-subj", "/CN=Test CA", "-days", "2");
  }

  /** The CA's own certificate, for whoever shall trust it. */
  get cert(): string {
    return this.#own.cert;
  }

  /** @param names as a certificate lists them: `DNS:localhost,IP:127.0.0.1`. */
  issue(name: string, names: string): Certificate {
    const issued = this.#path(name);
    const request = join(this.#directory, `${name}.csr`);
    const extensions = join(this.#directory, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", issued.key];
    this.#openssl("req", "-new", ...key, "-out", request, "-subj", `/CN=${name}`);
    const ca = ["-CA", this.#own.cert, "-CAkey", this.#own.key, "-CAcreateserial"];
    const what = ["-in", request, "-out", issued.cert, "-days", "2", "-extfile", extensions];
    this.#openssl("x509", "-req", ...ca, ...what);
    return issued;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #newKey(name: string): string[] {
    const { cert, key } = this.#path(name);
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert];
  }

  #path(name: string): Certificate {
    return {
      cert: join(this.#directory, `${name}.pem`),
      key: join(this.#directory, `${name}-key.pem`),
    };
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "ignore"] });
  }
}
