// MetadataLog served by another process over a connection: dials again whenever it breaks, and follows on from where
// it was. What was asked and not answered by then is "nobody knows".

import { bytesOf, type ToClient, type ToServer, textOf, type Wire } from "./log-wire.ts";
import type { MemberClock } from "./member-parts.ts";
import { AppendConflict, LogUnavailable, type MetadataLog, type Sequence } from "./metadata-log.ts";

/** As the server's log takes. */
const ENTRY_BYTES_MAX = 1 << 20;
const DIAL_AGAIN_MS = 200;
const ASK_MS_MAX = 5_000;

type Listener = Parameters<MetadataLog["follow"]>[1];

interface Follow {
  readonly listener: Listener;
  at: Sequence;
}

interface Asked {
  done(sequence: Sequence): void;
  fail(error: Error): void;
}

/** Resolves at once; the log is unavailable until the first connection stands. */
export function openLogClient(options: {
  dial(): Promise<Wire>;
  readonly clock: MemberClock;
}): MetadataLog {
  const client = new LogClient(options);
  client.connect();
  return client;
}

class LogClient implements MetadataLog {
  readonly entryBytesMax = ENTRY_BYTES_MAX;
  readonly #dial: () => Promise<Wire>;
  readonly #clock: MemberClock;
  readonly #follows = new Map<number, Follow>();
  readonly #asked = new Map<number, Asked>();
  readonly #receivers = new Set<(bytes: Uint8Array) => void>();
  readonly #connectionListeners = new Set<(isConnected: boolean) => void>();
  #wire: Wire | undefined;
  #number = 0;
  #isClosed = false;

  constructor({ dial, clock }: Parameters<typeof openLogClient>[0]) {
    this.#dial = dial;
    this.#clock = clock;
  }

  connect(): void {
    this.#dial().then(
      (wire) => this.#connected(wire),
      () => this.#connectLater(),
    );
  }

  follow(from: Sequence, listener: Listener): () => void {
    const follow = ++this.#number;
    this.#follows.set(follow, { listener, at: from });
    this.#say({ say: "follow", follow, from });
    return () => {
      this.#follows.delete(follow);
      this.#say({ say: "unfollow", follow });
    };
  }

  append({ expected, id, bytes }: Parameters<MetadataLog["append"]>[0]): Promise<Sequence> {
    return this.#ask((ask) => ({ say: "append", ask, expected, id, bytes: textOf(bytes) }));
  }

  async trim(before: Sequence): Promise<void> {
    try {
      await this.#ask((ask) => ({ say: "trim", ask, before }));
    } catch (error) {
      // The next snapshot is followed by the next attempt.
      if (!(error instanceof LogUnavailable)) throw error;
    }
  }

  signal(bytes: Uint8Array): void {
    this.#say({ say: "signal", bytes: textOf(bytes) });
  }

  onSignal(receive: (bytes: Uint8Array) => void): () => void {
    const receiver = (bytes: Uint8Array) => receive(bytes);
    this.#receivers.add(receiver);
    return () => this.#receivers.delete(receiver);
  }

  onConnection(changed: (isConnected: boolean) => void): () => void {
    const listener = (isConnected: boolean) => changed(isConnected);
    this.#connectionListeners.add(listener);
    changed(this.#wire !== undefined);
    return () => this.#connectionListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#connectionListeners.clear();
    this.#receivers.clear();
    this.#follows.clear();
    this.#wire?.close();
    this.#lost();
  }

  #connected(wire: Wire): void {
    if (this.#isClosed) {
      wire.close();
      return;
    }
    this.#wire = wire;
    wire.open({
      received: (line) => this.#hear(JSON.parse(line) as ToClient),
      closed: () => {
        this.#lost();
        this.#connectLater();
      },
    });
    for (const [follow, { at }] of this.#follows) this.#say({ say: "follow", follow, from: at });
    for (const changed of [...this.#connectionListeners]) changed(true);
  }

  #connectLater(): void {
    if (!this.#isClosed) this.#clock.after(DIAL_AGAIN_MS, () => !this.#isClosed && this.connect());
  }

  #lost(): void {
    if (this.#wire === undefined) return;
    this.#wire = undefined;
    for (const { fail } of [...this.#asked.values()]) fail(unavailable("the connection broke"));
    for (const changed of [...this.#connectionListeners]) changed(false);
  }

  #say(message: ToServer): void {
    this.#wire?.send(JSON.stringify(message));
  }

  #ask(question: (ask: number) => ToServer): Promise<Sequence> {
    if (this.#wire === undefined) return Promise.reject(unavailable("it is not connected"));
    const ask = ++this.#number;
    return new Promise<Sequence>((resolve, reject) => {
      const timer = this.#clock.after(ASK_MS_MAX, () =>
        this.#asked.get(ask)?.fail(unavailable(`no answer within ${ASK_MS_MAX} ms`)),
      );
      const end = () => {
        timer.cancel();
        this.#asked.delete(ask);
      };
      this.#asked.set(ask, {
        done(sequence) {
          end();
          resolve(sequence);
        },
        fail(error) {
          end();
          reject(error);
        },
      });
      this.#say(question(ask));
    });
  }

  #hear(message: ToClient): void {
    if (message.say === "signal") {
      const bytes = bytesOf(message.bytes);
      for (const receive of [...this.#receivers]) receive(bytes);
    } else if (message.say === "done") this.#asked.get(message.ask)?.done(message.sequence);
    else if (message.say === "conflict") {
      this.#asked.get(message.ask)?.fail(new AppendConflict(message.message));
    } else if (message.say === "unavailable") {
      this.#asked.get(message.ask)?.fail(new LogUnavailable(message.message));
    } else this.#hearFollow(message);
  }

  #hearFollow(message: Extract<ToClient, { follow: number }>): void {
    const follow = this.#follows.get(message.follow);
    if (follow === undefined) return;
    if (message.say === "entry") {
      follow.at = message.sequence;
      follow.listener.entry({ sequence: message.sequence, bytes: bytesOf(message.bytes) });
    } else if (message.say === "caught-up") follow.listener.caughtUp(message.last);
    else {
      follow.at = 0;
      follow.listener.reset();
    }
  }
}

function unavailable(why: string): LogUnavailable {
  return new LogUnavailable(`the process that keeps the metadata does not answer: ${why}`);
}
