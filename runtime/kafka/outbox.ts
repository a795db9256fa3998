// Outbox: the answers of one connection. They leave in the order of the requests, whenever each is ready
// (Kafka's rule), many small ones in one write. A socket that does not drain holds back encoding, and the depth
// of the outbox holds back reading, so a slow reader costs a bounded amount of memory.

import type { Connection } from "../platform.ts";
import { writeResponseHeader } from "./headers.ts";
import type { DoorLimits } from "./limits.ts";
import type { PumpBuffers } from "./pump-buffers.ts";
import { ResponsePump } from "./response-pump.ts";
import type { Api } from "./schema.ts";
import { Writer } from "./writer.ts";
import type { WriterPool } from "./writer-pool.ts";

/** The request an answer belongs to. */
export interface Asked {
  readonly api: Api;
  /** Version in which the answer is encoded. */
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly startedMs: number;
}

export interface OutboxOptions {
  readonly connection: Connection;
  readonly writers: WriterPool;
  readonly buffers: PumpBuffers;
  readonly limits: Pick<DoorLimits, "flushBytesMin" | "pumpBuffersPerConnectionMax">;
  /** An answer could not be made, encoded or sent: the connection has to end. */
  readonly failed: (error: unknown, asked: Asked | undefined) => void;
  /** An answer was encoded, or none is due. */
  readonly answered: (asked: Asked, bytes: number) => void;
  /** The socket took bytes. */
  readonly progressed: () => void;
}

interface Slot {
  readonly asked: Asked;
  ready: boolean;
  /** null: no answer is sent. */
  response: unknown;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #slots: Slot[] = [];
  /** Slots before this index have left. */
  #head = 0;
  #writer: Writer | undefined;
  readonly #pump: ResponsePump;
  /** The socket has enough and will say when it has drained. */
  #full = false;
  #pumping = false;
  #scheduled = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { buffers, limits } = options;
    const write = this.#write.bind(this);
    this.#pump = new ResponsePump(write, buffers, limits.pumpBuffersPerConnectionMax);
    options.connection.onDrain(() => {
      this.#full = false;
      this.#proceed();
    });
  }

  /** Answers that are not handed to the socket yet. */
  get depth(): number {
    const encoded = this.#pumping || this.#writer !== undefined ? 1 : 0;
    return this.#slots.length - this.#head + encoded;
  }

  /** True while the broker owes the next answer: silence is not the client's. */
  get waiting(): boolean {
    const next = this.#slots[this.#head];
    return next !== undefined && !next.ready;
  }

  /** `result` is a response, null for none, or a promise of these. */
  add(asked: Asked, result: unknown): void {
    const slot: Slot = { asked, ready: true, response: result };
    this.#slots.push(slot);
    if (!(result instanceof Promise)) {
      this.#advance();
      return;
    }
    slot.ready = false;
    result.then(
      (response) => this.#settle(slot, response),
      (error) => this.#options.failed(error, asked),
    );
  }

  /** Hands what is encoded to the socket. */
  flush(): void {
    const writer = this.#writer;
    if (!writer || this.#closed || this.#blocked) return;
    this.#writer = undefined;
    if (writer.contiguous) this.#send(writer);
    else this.#pumpOut(writer);
  }

  /** Releases the records of answers that will not be sent. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pump.close();
    if (this.#writer) releaseRecords(this.#writer);
    this.#writer = undefined;
    const slots = this.#slots.slice(this.#head);
    this.#slots = [];
    this.#head = 0;
    for (const slot of slots) if (slot.ready) this.#discard(slot);
  }

  #settle(slot: Slot, response: unknown): void {
    slot.response = response;
    slot.ready = true;
    if (this.#closed) this.#discard(slot);
    else if (!this.#scheduled) {
      this.#scheduled = true;
      // Promises that one group commit settles together make one write.
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#proceed();
      });
    }
  }

  #advance(): void {
    while (!this.#blocked && !this.#closed) {
      const slot = this.#slots[this.#head];
      if (!slot?.ready) break;
      this.#head++;
      this.#encode(slot);
    }
    if (this.#head === this.#slots.length) this.#slots.length = 0;
    else if (this.#head > 64) this.#slots.splice(0, this.#head);
    else return;
    this.#head = 0;
  }

  #encode(slot: Slot): void {
    const { asked, response } = slot;
    slot.response = null;
    if (response === null) {
      this.#options.answered(asked, 0);
      return;
    }
    this.#writer ??= this.#options.writers.take();
    const before = this.#writer.length;
    try {
      encodeFrame(this.#writer, asked, response);
    } catch (error) {
      this.#options.failed(error, asked);
      return;
    }
    this.#options.answered(asked, this.#writer.length - before);
    if (!this.#writer.contiguous || this.#writer.length >= this.#options.limits.flushBytesMin) {
      this.flush();
    }
  }

  #send(writer: Writer): void {
    const [bytes] = writer.chunks();
    if (bytes instanceof Uint8Array) this.#write(bytes, () => this.#sent(writer));
  }

  #pumpOut(writer: Writer): void {
    this.#pumping = true;
    this.#pump
      .send(writer.chunks(), () => this.#sent(writer))
      .then(
        () => {
          this.#pumping = false;
          this.#proceed();
        },
        (error) => this.#options.failed(error, undefined),
      );
  }

  #write(bytes: Uint8Array, written: (() => void) | undefined): void {
    if (!this.#options.connection.write(bytes, written)) this.#full = true;
  }

  #sent(writer: Writer): void {
    this.#options.writers.give(writer);
    this.#options.progressed();
  }

  get #blocked(): boolean {
    return this.#full || this.#pumping;
  }

  #proceed(): void {
    this.#advance();
    this.flush();
  }

  #discard({ asked, response }: Slot): void {
    if (response === null) return;
    const writer = new Writer();
    try {
      encodeFrame(writer, asked, response);
    } catch (error) {
      this.#options.failed(error, asked);
    }
    releaseRecords(writer);
  }
}

function encodeFrame(writer: Writer, asked: Asked, response: unknown): void {
  writer.beginFrame();
  writeResponseHeader(writer, asked.api, asked);
  asked.api.encodeResponse(asked.apiVersion, response as never, writer);
  writer.endFrame();
}

function releaseRecords(writer: Writer): void {
  for (const chunk of writer.chunks()) if (!(chunk instanceof Uint8Array)) chunk.release();
}
