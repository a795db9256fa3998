// One connection of the load generator to a broker under test: bytes out as they are, bytes in through one buffer
// that all connections share. It does as little as it can, so that the broker is what is measured.

import * as net from "node:net";
import { FrameCutter } from "../../../runtime/client/frames.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Every read is handled before the next one: one buffer serves all sockets and stays in the cache. */
const readBuffer = new Uint8Array(256 * 1024);

export class WireConnection {
  readonly #socket: net.Socket;
  /** Runs once, when the connection is lost; not after `close`. */
  onLost: (error: Error) => void = () => {};

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("error", (error) => this.onLost(error));
    socket.on("close", () => this.onLost(new Error("the broker closed the connection")));
  }

  /** `receive` gets a view that is valid only during the call. */
  static open(address: Address, receive: (bytes: Uint8Array) => void): Promise<WireConnection> {
    return new Promise((resolve, reject) => {
      const callback = (count: number) => {
        receive(readBuffer.subarray(0, count));
        return true;
      };
      const onread = { buffer: readBuffer, callback };
      const socket = net.connect({ ...address, noDelay: true, onread });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new WireConnection(socket));
      });
    });
  }

  /** The chunks must not change any more: they may wait in the socket. */
  send(chunks: readonly Uint8Array[]): void {
    if (chunks.length > 1) this.#socket.cork();
    for (const chunk of chunks) this.#socket.write(chunk);
    if (chunks.length > 1) this.#socket.uncork();
  }

  close(): void {
    this.onLost = () => {};
    this.#socket.destroy();
  }
}

interface Waiter {
  readonly resolve: (frame: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

/** A connection whose answers are small and awaited one by one, in the order of the requests. */
export class AskingConnection {
  readonly #connection: WireConnection;
  readonly #waiting: Waiter[];

  private constructor(connection: WireConnection, waiting: Waiter[]) {
    this.#connection = connection;
    this.#waiting = waiting;
    connection.onLost = (error) => {
      for (const { reject } of waiting.splice(0)) reject(error);
    };
  }

  static async open(address: Address): Promise<AskingConnection> {
    const waiting: Waiter[] = [];
    const frames = new FrameCutter((frame) => waiting.shift()?.resolve(frame));
    const connection = await WireConnection.open(address, (bytes) => frames.push(bytes));
    return new AskingConnection(connection, waiting);
  }

  /** The answer's frame, from the correlation id on. */
  ask(request: readonly Uint8Array[]): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#connection.send(request);
    });
  }

  close(): void {
    this.#connection.close();
  }
}
