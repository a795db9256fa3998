// A member's view of the metadata: follows the metadata log from where its own copy ends, applies what comes, tells
// watchers, and notices when the log went backwards or is of another cluster. Then it freezes: it stays as it is, says
// why, and takes nothing more until somebody brings the metadata back.

import type { ClusterImage } from "./cluster-image.ts";
import type { ClusterChange } from "./control-plane.ts";
import { decodeEntry, type Entry, EntryRefused } from "./entry-codec.ts";
import { LocalCopy } from "./local-copy.ts";
import type { MemberClock, MemberOptions } from "./member-parts.ts";
import { type Commit, type MetadataCourse, RESTORE_ADVICE } from "./metadata-course.ts";
import type { LogEntry, MetadataLog, Sequence } from "./metadata-log.ts";
import { failed } from "./snapshot.ts";
import { Watchers } from "./watchers.ts";

/** What the other parts of a member want to hear of. */
export interface ViewListener {
  applied?(commit: Commit): void;
  /** The metadata service answers again, or does no more. */
  connectionChanged?(isConnected: boolean): void;
  frozen?(): void;
}

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
}

export class MetadataView {
  /** What this broker was while it was alone, when it begins a cluster. */
  readonly adopted: ClusterImage | undefined;
  readonly #log: MetadataLog;
  readonly #clock: MemberClock;
  readonly #copy: LocalCopy;
  readonly #course: MetadataCourse;
  readonly #watchers = new Watchers();
  readonly #listeners: ViewListener[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #ends: (() => void)[] = [];
  /** Of the newest entry of the log, followed or not. */
  #sequence: Sequence;
  /** Of the newest entry seen since the log was last read from its beginning. */
  #logVersion: number;
  #logControllerEpoch = 0;
  /** Of the newest snapshot seen; 0: none since this process began. */
  #snapshotVersion = 0;
  #bytesSinceSnapshot = 0;
  #isConnected = false;
  #isCaughtUp = false;
  /** Its cluster was in the log at some time. */
  #wasCurrent = false;
  #awayMs: number;
  #alarm: string | null = null;
  #isBehind = false;
  readonly #alarmed: MemberOptions["alarmed"];
  /** What `alarmed` was told last. */
  #told: string | null = null;
  #isClosed = false;

  /** Throws storage-failed if this broker's own copy cannot be used. */
  constructor({ log, clock, files, clusterId, alarmed }: MemberOptions) {
    this.#log = log;
    this.#alarmed = alarmed;
    this.#clock = clock;
    this.#copy = new LocalCopy(files);
    const { course, sequence, adopted } = this.#copy.read();
    this.#course = course;
    this.#sequence = sequence;
    this.#logVersion = course.image.version;
    this.adopted = adopted;
    this.#awayMs = clock.monotonicMs();
    const own = adopted?.clusterId ?? course.image.clusterId;
    if (clusterId !== undefined && own !== "" && own !== clusterId) {
      throw failed(`this folder belongs to cluster ${own}, not to ${clusterId}`);
    }
    const expected = own === "" ? (clusterId ?? "") : own;
    course.image = { ...course.image, clusterId: expected };
  }

  get image(): ClusterImage {
    return this.#course.image;
  }
  get chain(): number {
    return this.#course.chain;
  }
  /** Last sequence of the log: what an append must expect. */
  get sequence(): Sequence {
    return this.#sequence;
  }
  /** The highest version and controller epoch seen anywhere, also in a log that is not followed. */
  get highest(): { readonly version: number; readonly controllerEpoch: number } {
    return {
      version: Math.max(this.image.version, this.#logVersion),
      controllerEpoch: Math.max(this.image.controllerEpoch, this.#logControllerEpoch),
    };
  }
  get isConnected(): boolean {
    return this.#isConnected;
  }
  /** All that was in the log when the connection was last made is in the view. */
  get isCurrent(): boolean {
    return this.#isConnected && this.#isCaughtUp && this.#alarm === null && !this.#isClosed;
  }
  get isFrozen(): boolean {
    return this.#alarm !== null;
  }
  /** Frozen because the metadata service lost what this broker knows: a restore brings it back. */
  get isBehind(): boolean {
    return this.#alarm !== null && this.#isBehind;
  }
  get alarm(): string | null {
    return this.#alarm ?? this.#copy.failure;
  }
  get ageMs(): number {
    return this.isCurrent ? 0 : this.#clock.monotonicMs() - this.#awayMs;
  }
  /** What a broker with an empty folder would have to read, as far as this process has seen it. */
  get sinceSnapshot(): { readonly bytes: number; readonly entries: number } {
    return { bytes: this.#bytesSinceSnapshot, entries: this.image.version - this.#snapshotVersion };
  }

  start(): void {
    this.#ends.push(
      this.#log.onConnection((isConnected) => this.#connection(isConnected)),
      this.#log.follow(this.#sequence, {
        entry: (entry) => this.#entry(entry),
        caughtUp: (last) => this.#caughtUp(last),
        reset: () => this.#reset(),
      }),
    );
  }

  listen(listener: ViewListener): void {
    this.#listeners.push(listener);
  }

  watch(changed: (change: ClusterChange) => void): () => void {
    return this.#watchers.add(changed);
  }

  /** Resolves when `isDone` holds, true, or after `msMax`, false. Looked at after everything that happens here. */
  async until(isDone: () => boolean, msMax: number): Promise<boolean> {
    if (isDone()) return true;
    await new Promise<void>((resolve) => {
      const waiter: Waiter = { isDone, resolve: () => finish() };
      const timer = this.#clock.after(msMax, () => finish());
      const finish = () => {
        timer.cancel();
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
    });
    return isDone();
  }

  /** Nothing is followed any more, until the metadata is brought back. */
  freeze(reason: string, { isBehind = false } = {}): void {
    if (this.#alarm !== null) return;
    this.#alarm = reason;
    this.#isBehind = isBehind;
    this.#awayMs = this.#clock.monotonicMs();
    for (const listener of this.#listeners) listener.frozen?.();
    this.#tellAlarm();
    this.#wake();
  }

  /** A living member knows more than the metadata service holds. */
  heardOf(other: {
    readonly id: number;
    readonly version: number;
    readonly isBehind: boolean;
  }): void {
    const { version } = this.image;
    if (!other.isBehind || other.version <= version || !this.isCurrent) return;
    this.freeze(peerKnowsMore(version, other), { isBehind: true });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const end of this.#ends) end();
    this.#watchers.clear();
    this.#wake();
    this.#copy.close();
  }

  #connection(isConnected: boolean): void {
    if (this.#isClosed || isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (!isConnected) {
      this.#isCaughtUp = false;
      this.#awayMs = this.#clock.monotonicMs();
    }
    for (const listener of this.#listeners) listener.connectionChanged?.(isConnected);
    this.#wake();
  }

  #entry({ sequence, bytes }: LogEntry): void {
    if (this.#isClosed) return;
    this.#sequence = sequence;
    const entry = this.#decoded(bytes);
    if (entry === undefined) return;
    this.#logVersion = Math.max(this.#logVersion, entry.version);
    this.#logControllerEpoch = Math.max(this.#logControllerEpoch, entry.controllerEpoch);
    this.#bytesSinceSnapshot = entry.part ? 0 : this.#bytesSinceSnapshot + bytes.length;
    if (entry.part) this.#snapshotVersion = entry.version;
    const isFollowed = !this.isFrozen || this.#course.isCollecting || entry.part?.isRestored;
    if (isFollowed) this.#take(entry, { sequence, bytes });
    this.#wake();
  }

  #take(entry: Entry, { sequence, bytes }: LogEntry): void {
    const taken = this.#course.take(entry, bytes);
    // Whoever followed its cluster here did not connect to the wrong place: another one took it.
    const isBehind = taken.kind === "refused" && (taken.isBehind || this.#wasCurrent);
    if (taken.kind === "refused") this.freeze(taken.reason, { isBehind });
    if (taken.kind !== "applied" && taken.kind !== "collected") return;
    this.#copy.keep(this.#course, sequence, bytes);
    if (taken.kind === "applied") {
      this.#alarm = null;
      this.#wasCurrent = true;
    }
    this.#tellAlarm();
    if (taken.kind === "collected") return;
    this.#watchers.tell(taken.commit);
    for (const listener of this.#listeners) listener.applied?.(taken.commit);
  }

  #tellAlarm(): void {
    const { alarm } = this;
    if (alarm === this.#told) return;
    this.#told = alarm;
    this.#alarmed?.(alarm);
  }

  #decoded(bytes: Uint8Array): Entry | undefined {
    try {
      return decodeEntry(bytes);
    } catch (error) {
      if (!(error instanceof EntryRefused)) throw error;
      this.freeze(error.message);
      return undefined;
    }
  }

  #caughtUp(last: Sequence): void {
    if (this.#isClosed) return;
    const known = this.image.version;
    const isBehind = this.#logVersion < known || (last < this.#sequence && known > 0);
    this.#sequence = last;
    if (isBehind) this.freeze(wentBack(known, this.#logVersion), { isBehind });
    else if (this.#logVersion > known && !this.isFrozen && !this.#course.isCollecting) {
      // Of a whole image that somebody is writing the rest is still to come, or it never counts.
      this.freeze(incomplete(known), { isBehind: true });
    }
    this.#isCaughtUp = true;
    this.#wasCurrent ||= this.isCurrent && known > 0;
    this.#wake();
  }

  /** The log is read again from its beginning: only now is seen what it still holds. */
  #reset(): void {
    this.#sequence = 0;
    this.#logVersion = 0;
    this.#isCaughtUp = false;
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) {
      if (this.#isClosed || waiter.isDone()) waiter.resolve();
    }
  }
}

function wentBack(known: number, found: number): string {
  return (
    `the metadata service went back: it ends at entry ${found}, this broker knows ${known}: ` +
    RESTORE_ADVICE
  );
}

function peerKnowsMore(found: number, { id, version }: { id: number; version: number }): string {
  return (
    `the metadata service went back: it ends at entry ${found}, broker ${id} knows ${version}: ` +
    RESTORE_ADVICE
  );
}

function incomplete(known: number): string {
  return `the metadata service lacks the entries after ${known}: ${RESTORE_ADVICE}`;
}
