// MetadataLog: what a cluster's brokers share, and all they need of a metadata service: one short log of entries that
// only grows by compare-and-set, and signals that may get lost. `nats-log.ts` implements it on JetStream,
// `shared-log.ts` in one process (and, served over loopback TCP, for several brokers on one machine); the simulator
// has one with faults. It knows nothing of what the entries say.

/** Position of an entry: grows by one or more with each, starts anew when the store is wiped. Never an epoch. */
export type Sequence = number;

export interface LogEntry {
  readonly sequence: Sequence;
  readonly bytes: Uint8Array;
}

/** Somebody else wrote after `expected`: read on, then decide again. Nothing was written. */
export class AppendConflict extends Error {}

/** The service does not answer. Of an append nobody knows whether it was written. */
export class LogUnavailable extends Error {}

export interface MetadataLog {
  /** Longest entry it takes. */
  readonly entryBytesMax: number;
  /**
   * All entries after `from` (0: from the first one kept) in order, and then every further one as it comes, until
   * closed. Reads from the service's leader, so that whoever starts sees all that was acknowledged before.
   * `caughtUp` runs when what was there at the start has been given, and again after every reconnect; `reset` when
   * the log is not the one it was (wiped, restored, first entry above `from` + 1 without `trimmed`): entries
   * come again from the first one.
   */
  follow(
    from: Sequence,
    listener: {
      entry(entry: LogEntry): void;
      caughtUp(last: Sequence): void;
      reset(): void;
    },
  ): () => void;
  /**
   * Writes one entry if `expected` is the last sequence (0: empty). `id` is unique to the entry; a retry after
   * `LogUnavailable` names the same id and the same `expected`, and is told the first one's sequence.
   * Rejects with AppendConflict or LogUnavailable.
   */
  append(request: { expected: Sequence; id: string; bytes: Uint8Array }): Promise<Sequence>;
  /** Drops the entries before `sequence`: a snapshot stands there. Best effort. */
  trim(before: Sequence): Promise<void>;
  /** To all members, this one included; may be lost, comes at most once. */
  signal(bytes: Uint8Array): void;
  onSignal(receive: (bytes: Uint8Array) => void): () => void;
  /** Told at once and at each change whether the service answers. */
  onConnection(changed: (isConnected: boolean) => void): () => void;
  close(): Promise<void>;
}
