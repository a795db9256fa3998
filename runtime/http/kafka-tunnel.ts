// POST /v1/kafka: requests of the Kafka protocol as the body, their answers as the answer. Whoever has no TCP, such as
// a web page, gets everything the Kafka door has, in its own bytes: nothing is decoded here. In a cluster `?broker=`
// names whom the requests are for, so that one address reaches all.

import type { Context } from "hono";
import type { Connection } from "../platform.ts";
import { concat, withBody } from "./body.ts";
import { HttpError, invalid } from "./error.ts";
import type { Door, Route } from "./route.ts";

export const framesMediaType = "application/vnd.timberline.kafka";

/** Answer bytes that wait for the client before the broker is asked to wait. */
const waitingBytesMax = 1024 * 1024;

/** The way to the brokers, given by who makes the app. */
export interface KafkaTunnel {
  /**
   * A connection to the Kafka door of the broker that metadata names as `broker` ("host:port"), or of any if undefined;
   * closed after use. Rejects with `BrokerError` BROKER_NOT_AVAILABLE for an address that is no broker's.
   */
  connect(broker: string | undefined, from: string): Connection | Promise<Connection>;
  /** How many answers these requests get; throws or rejects, with a message for people, if they are no whole requests. */
  answersDue(requests: Uint8Array): number | Promise<number>;
}

export function kafkaTunnelRoutes(door: Door, tunnel: KafkaTunnel): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/kafka",
      doc: {
        tag: "kafka",
        summary: "Requests of the Kafka protocol",
        description:
          "The body is one or more requests, each with its four bytes of size, as over TCP; the answer is their " +
          "answers in order, and is over when all have come. Versions are agreed on and partitions' leaders found " +
          "as over TCP; ?broker=HOST:PORT names one of the metadata's brokers, absent: whoever answers here.",
        body: { [framesMediaType]: null },
        answers: { 200: { description: "Answers", content: { [framesMediaType]: null } } },
      },
      handle: (context) => exchange(door, tunnel, context),
    },
  ];
}

function exchange(door: Door, tunnel: KafkaTunnel, context: Context): Promise<Response> {
  const mediaType = context.req.header("content-type")?.trim().toLowerCase();
  if (mediaType !== framesMediaType) {
    throw new HttpError("INVALID_REQUEST", `send Content-Type: ${framesMediaType}`, {
      status: 415,
    });
  }
  const broker = context.req.query("broker");
  const from = remoteAddressOf(context);
  return withBody(door, context, async (requests) => {
    const due = await countAnswers(tunnel, requests);
    const connection = await tunnel.connect(broker, from);
    const answers = new Answers(connection, due, broker ?? "the broker");
    const { signal } = context.req.raw;
    if (signal.aborted) answers.cancel();
    else signal.addEventListener("abort", () => answers.cancel(), { once: true });
    answers.ask(requests);
    await answers.begun;
    // What is answered at once leaves at once, in one piece.
    if (!answers.isOver) await new Promise<void>((next) => door.platform.clock.soon(next));
    return answers.response();
  });
}

async function countAnswers(tunnel: KafkaTunnel, requests: Uint8Array): Promise<number> {
  if (requests.length === 0) throw invalid("body: no requests");
  try {
    return await tunnel.answersDue(requests);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new HttpError("INVALID_REQUEST", `body: ${what}`, { cause });
  }
}

/** Where the server that runs the app tells it. */
function remoteAddressOf(context: Context): string {
  const env = context.env as { readonly remoteAddress?: string } | undefined;
  return env?.remoteAddress ?? "";
}

/** What comes back of one connection, until every request is answered. */
class Answers {
  /** Resolves with the first answer's first bytes, or with the end. */
  readonly begun: Promise<void>;
  readonly #connection: Connection;
  readonly #broker: string;
  #due: number;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  /** Bytes of the current answer that are still to come, and of its size prefix what has. */
  #left = 0;
  #size = 0;
  #sizeFilled = 0;
  #isCut = false;
  #isOver = false;
  #changed: () => void = () => {};

  constructor(connection: Connection, due: number, broker: string) {
    this.#connection = connection;
    this.#broker = broker;
    this.#due = due;
    this.begun = this.#change();
    connection.onData((chunk) => this.#receive(chunk));
    connection.onClose(() => this.#end(true));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  ask(requests: Uint8Array): void {
    const isUnanswered = this.#due === 0;
    this.#connection.write(requests, isUnanswered ? () => this.#end(false) : undefined);
  }

  /** Nobody wants the answers any more. */
  cancel(): void {
    this.#end(true);
  }

  response(): Response {
    const headers = { "content-type": framesMediaType };
    if (this.#isCut && this.#chunks.length === 0) throw this.#lost();
    if (!this.#isOver || this.#isCut) return new Response(this.#stream(), { headers });
    return new Response(concat(this.#chunks, this.#waitingBytes), { headers });
  }

  #stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (this.#chunks.length === 0 && !this.#isOver) await this.#change();
          for (const chunk of this.#chunks) controller.enqueue(chunk);
          this.#chunks = [];
          this.#waitingBytes = 0;
          if (!this.#isOver) this.#connection.resume();
          else if (this.#isCut) controller.error(this.#lost());
          else controller.close();
        },
        cancel: () => this.cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  #receive(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#chunks.push(chunk.slice());
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= waitingBytesMax) this.#connection.pause();
    this.#count(chunk);
    if (this.#due === 0) this.#end(false);
    else this.#changed();
  }

  /** Follows the sizes of the answers. */
  #count(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left === 0) {
        this.#size = this.#size * 256 + chunk[at++]!;
        this.#sizeFilled++;
        if (this.#sizeFilled < 4) continue;
        this.#left = this.#size;
        this.#size = 0;
        this.#sizeFilled = 0;
      } else {
        const count = Math.min(this.#left, chunk.length - at);
        at += count;
        this.#left -= count;
        if (this.#left === 0) this.#due--;
      }
    }
  }

  #end(isCut: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isCut = isCut;
    this.#connection.destroy();
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }

  #lost(): HttpError {
    const what = `${this.#broker} ended the connection before it had answered`;
    const why = "it may be stopping, or not know what it was asked; its log says why";
    return new HttpError("NETWORK_EXCEPTION", `${what}: ${why}`);
  }
}
