// MetadataLog on NATS JetStream: one stream, one subject, every append a compare-and-set on the stream's last
// sequence. Readers ask the stream's leader for entries one by one: a signal after each append tells them when, and
// a slow poll finds what signals missed, whether the server answers, and whether its store is still the same one.

import { type NatsConnection, NatsError } from "nats";
import { type MemberClock, pause } from "./member-parts.ts";
import { AppendConflict, LogUnavailable, type MetadataLog, type Sequence } from "./metadata-log.ts";
import { connectNats, NatsRefused, type NatsSettings } from "./nats-connection.ts";
import { NatsFollower, type StreamState } from "./nats-follower.ts";
import { apiCode, NatsStream, REQUEST_TIMEOUT_MS } from "./nats-stream.ts";

/** Attempts of one append, with one id, before nobody knows. */
const APPEND_ATTEMPTS_MAX = 3;
const APPEND_AGAIN_MS = 100;
const POLL_MS = 500;
/** Headers share the server's limit on messages with the entry. */
const HEADER_BYTES_MAX = 4_096;
/** Code of JetStream's error. */
const wrongLastSequence = 10071;

/** Opens the metadata of `cluster`, and makes its stream if there is none. Rejects with NatsRefused. */
export async function openNatsLog(settings: NatsSettings, cluster: string): Promise<MetadataLog> {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(cluster)) {
    throw new NatsRefused(`'${cluster}' is no name for a cluster: use letters, digits, - and _`);
  }
  const connection = await connectNats(settings);
  try {
    const manager = await connection.jetstreamManager({
      timeout: REQUEST_TIMEOUT_MS,
      checkAPI: false,
    });
    const stream = new NatsStream(connection, manager, settings, cluster);
    await stream.ensure();
    return new NatsLog(connection, stream, settings.clock);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class NatsLog implements MetadataLog {
  readonly entryBytesMax: number;
  readonly #connection: NatsConnection;
  readonly #stream: NatsStream;
  readonly #clock: MemberClock;
  readonly #followers = new Set<NatsFollower>();
  readonly #receivers = new Set<(bytes: Uint8Array) => void>();
  readonly #connectionListeners = new Set<(isConnected: boolean) => void>();
  #isConnected = true;
  #isClosed = false;
  #polls = 0;

  constructor(connection: NatsConnection, stream: NatsStream, clock: MemberClock) {
    this.#connection = connection;
    this.#stream = stream;
    this.#clock = clock;
    this.entryBytesMax = (connection.info?.max_payload ?? 1 << 20) - HEADER_BYTES_MAX;
    connection.subscribe(stream.signals, {
      callback: (error, message) => {
        if (error !== null) return;
        for (const receive of [...this.#receivers]) receive(message.data);
      },
    });
    connection.subscribe(stream.hints, { callback: () => this.#lookAll() });
    void this.#watchConnection();
    this.#pollLater();
  }

  follow(from: Sequence, listener: Parameters<MetadataLog["follow"]>[1]): () => void {
    const follower = new NatsFollower(this.#stream, from, listener);
    this.#followers.add(follower);
    follower.look();
    return () => {
      follower.end();
      this.#followers.delete(follower);
    };
  }

  async append(request: { expected: Sequence; id: string; bytes: Uint8Array }): Promise<Sequence> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#appendOnce(request);
      } catch (error) {
        if (error instanceof AppendConflict) throw error;
        if (attempt >= APPEND_ATTEMPTS_MAX || this.#isClosed) {
          throw new LogUnavailable(`NATS does not answer: ${messageOf(error)}`, { cause: error });
        }
      }
      await pause(this.#clock, APPEND_AGAIN_MS);
    }
  }

  async trim(before: Sequence): Promise<void> {
    try {
      await this.#stream.trim(before);
    } catch (error) {
      if (!(error instanceof NatsError)) throw error;
    }
  }

  signal(bytes: Uint8Array): void {
    if (this.#isConnected && !this.#connection.isClosed()) {
      this.#connection.publish(this.#stream.signals, bytes);
    }
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    const receiver = (bytes: Uint8Array) => receive(bytes);
    this.#receivers.add(receiver);
    return () => this.#receivers.delete(receiver);
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    const listener = (isConnected: boolean) => changed(isConnected);
    this.#connectionListeners.add(listener);
    changed(this.#isConnected);
    return () => this.#connectionListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const follower of this.#followers) follower.end();
    this.#followers.clear();
    this.#receivers.clear();
    this.#connectionListeners.clear();
    await this.#connection.close();
  }

  async #appendOnce({
    expected,
    id,
    bytes,
  }: {
    expected: Sequence;
    id: string;
    bytes: Uint8Array;
  }): Promise<Sequence> {
    try {
      return await this.#stream.publish(expected, id, bytes);
    } catch (error) {
      if (apiCode(error) === wrongLastSequence) return this.#judge(expected, id, error);
      await this.#mendStream(expected);
      throw error;
    }
  }

  /** A wrong last sequence may be our own first attempt's doing: only the entry itself tells whose it is. */
  async #judge(expected: Sequence, id: string, cause: unknown): Promise<Sequence> {
    const next = await this.#stream.read(expected + 1);
    if (next?.id === id) return expected + 1;
    const last = (await this.#stream.info())?.state.last_seq ?? 0;
    // With replicas, another's entry may be proposed and not stored yet.
    if (last === expected) throw cause;
    throw new AppendConflict(`the last sequence is ${last}, not ${expected}`, { cause });
  }

  /** Without its stream the log is empty: it was wiped, and may be begun anew. */
  async #mendStream(expected: Sequence): Promise<void> {
    if ((await this.#stream.info()) !== undefined) return;
    if (expected > 0) throw new AppendConflict("the metadata stream is gone");
    await this.#stream.ensure();
  }

  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (this.#isClosed) return;
      if (type === "disconnect") this.#setConnected(false);
      if (type === "reconnect") void this.#poll();
    }
  }

  #pollLater(): void {
    this.#clock.after(POLL_MS, async () => {
      if (this.#isClosed) return;
      await this.#poll();
      this.#pollLater();
    });
  }

  async #poll(): Promise<void> {
    const poll = ++this.#polls;
    try {
      const info = await this.#stream.info();
      this.#setConnected(true);
      this.#lookAll({ info });
    } catch {
      // An answer that was lost with the last connection says nothing of this one.
      if (poll === this.#polls) this.#setConnected(false);
    }
  }

  /** `known`: what the server just said of the stream; absent: each asks itself. */
  #lookAll(known?: StreamState): void {
    for (const follower of this.#followers) follower.look(known);
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected || this.#isClosed) return;
    this.#isConnected = isConnected;
    for (const changed of [...this.#connectionListeners]) changed(isConnected);
    if (isConnected) for (const follower of this.#followers) follower.reconnected();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
