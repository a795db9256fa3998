// Detachable: a connection that changes hands. The client library opens it and proves who we are; then somebody else
// speaks over it, and the first owner hears and ends nothing any more.

import type { Connection } from "../platform.ts";

interface Owner {
  receive: (chunk: Uint8Array) => void;
  closed: (error: Error | undefined) => void;
}

export class Detachable {
  /** For who opens it. */
  readonly first: Connection;
  readonly #connection: Connection;
  readonly #ended: () => void;
  #owner: Owner;
  #isOver = false;

  /** `ended`: told once. */
  constructor(connection: Connection, ended: () => void) {
    this.#connection = connection;
    this.#ended = ended;
    this.#owner = newOwner();
    this.first = this.#endOf(this.#owner);
    connection.onData((chunk) => this.#owner.receive(chunk));
    connection.onClose((error) => {
      this.#end();
      this.#owner.closed(error);
    });
  }

  /** For who speaks from now on. */
  detach(): Connection {
    this.#owner = newOwner();
    return this.#endOf(this.#owner);
  }

  #endOf(owner: Owner): Connection {
    const connection = this.#connection;
    const isOwned = () => this.#owner === owner;
    return {
      remoteAddress: connection.remoteAddress,
      remotePort: connection.remotePort,
      onData(receive) {
        owner.receive = receive;
      },
      onClose: (closed) => {
        if (this.#isOver) queueMicrotask(() => closed(undefined));
        else owner.closed = closed;
      },
      write: (bytes, written) => connection.write(bytes, written),
      onDrain: (drained) => connection.onDrain(drained),
      cork: () => connection.cork(),
      uncork: () => connection.uncork(),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      end: () => {
        if (isOwned()) connection.end();
      },
      destroy: () => {
        if (!isOwned()) return;
        this.#end();
        connection.destroy();
      },
    };
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended();
  }
}

function newOwner(): Owner {
  return { receive() {}, closed() {} };
}
