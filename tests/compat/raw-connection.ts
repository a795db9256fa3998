// A TCP connection that sends whatever a test wants, right or wrong, and the few Kafka requests a test of wrong
// bytes needs, written byte by byte from the protocol's page: it shares nothing with the server.

import { connect, type Socket } from "node:net";
import type { Address } from "../support/server.ts";

const answerMsMax = 15_000;

export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #changed = (): void => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#changed();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isClosed = true;
      this.#changed();
    });
  }

  static open({ host, port }: Address): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#socket.write(bytes);
  }

  /** The next frame without its size; null when the server closed the connection instead. */
  async frame(limitMs = answerMsMax): Promise<Buffer | null> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const size = this.#received.length < 4 ? Infinity : this.#received.readInt32BE(0);
      if (this.#received.length >= 4 + size) {
        const frame = this.#received.subarray(4, 4 + size);
        this.#received = this.#received.subarray(4 + size);
        return frame;
      }
      if (this.#isClosed) return null;
      await this.#change(endMs - performance.now());
    }
  }

  /** Everything up to the server's end of the connection, as text. */
  async rest(limitMs = answerMsMax): Promise<string> {
    const endMs = performance.now() + limitMs;
    while (!this.#isClosed) await this.#change(endMs - performance.now());
    return this.#received.toString("latin1");
  }

  close(): void {
    this.#socket.destroy();
  }

  #change(leftMs: number): Promise<void> {
    if (leftMs <= 0) throw new Error("the server neither answered nor closed the connection");
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, leftMs);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A request frame with header v1: size, key, version, correlation id 1, client id "raw". */
export function frameOf(apiKey: number, apiVersion: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt16BE(apiKey, 0);
  head.writeInt16BE(apiVersion, 2);
  head.writeInt32BE(1, 4);
  return sized(Buffer.concat([head, text("raw"), body]));
}

export function sized(message: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(message.length);
  return Buffer.concat([size, message]);
}

export interface ProduceRequest {
  readonly topic: string;
  readonly partition?: number;
  readonly acks?: number;
  /** Null where no records are sent at all. */
  readonly batch: Uint8Array | null;
}

/** Produce v7 of one batch. */
export function produceFrame({ topic, partition = 0, acks = -1, batch }: ProduceRequest): Buffer {
  const records = batch === null ? int32(-1) : Buffer.concat([int32(batch.length), batch]);
  const one = int32(1);
  return frameOf(
    0,
    7,
    Buffer.concat([
      int16(-1),
      int16(acks),
      int32(5_000),
      one,
      text(topic),
      one,
      int32(partition),
      records,
    ]),
  );
}

/** The error code of a Produce v7 answer for one partition; null if the connection was closed. */
export async function produceRaw(
  connection: RawConnection,
  request: ProduceRequest,
): Promise<number | null> {
  connection.send(produceFrame(request));
  const answer = await connection.frame();
  if (answer === null) return null;
  const topicAt = 4 + 4;
  const partitionsAt = topicAt + 2 + answer.readInt16BE(topicAt) + 4;
  return answer.readInt16BE(partitionsAt + 4);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}
