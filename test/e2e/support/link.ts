import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A Unix socket's path, or a port of this machine. */
type Target = string | { readonly port: number };

/** A TCP link to a server that can be cut: nothing passes then, and nobody is told. */
export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: Target) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        this.#hold(near);
        near.pause();
        return;
      }
      const far = typeof target === "string" ? connect(target) : connect(target.port, "127.0.0.1");
      this.#hold(near);
      this.#hold(far);
      near.pipe(far);
      far.pipe(near);
    });
  }

  /** @param address on which this end of it listens. */
  static async open(target: Target, address = "127.0.0.1"): Promise<Link> {
    const link = new Link(target);
    link.#server.listen(0, address);
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the link is closed");
    return address.port;
  }

  /** As a cable that is pulled: connections stay open on both sides, and are silent. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** The cable is back: what was open is reset, new connections pass. */
  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
