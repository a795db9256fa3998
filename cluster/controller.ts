// The controller: the one member that decides and writes. It takes over by an entry of its own, decides on the newest
// image, and writes what was decided in one turn as one entry. Every entry expects to follow the one before, so whoever
// was replaced without noticing loses at its next entry, and steps down.

import { applyChanges, type ClusterImage, changesOf, type ImageChange } from "./cluster-image.ts";
import { ControlPlaneError } from "./control-plane.ts";
import {
  chainOf,
  type Entry,
  encodeEntry,
  packChanges,
  type SizedChange,
  type SnapshotPart,
  sizedChanges,
} from "./entry-codec.ts";
import {
  type MemberClock,
  type MemberOptions,
  type MemberSettings,
  pause,
} from "./member-parts.ts";
import { AppendConflict, LogUnavailable, type MetadataLog, type Sequence } from "./metadata-log.ts";
import type { MetadataView } from "./metadata-view.ts";
import { type Random, randomId } from "./random-id.ts";

/** Decisions written together. */
const BATCH_MAX = 1_000;
const QUEUE_MAX = 10_000;
/** How long an entry is tried while nobody knows whether it was written. */
const APPEND_MS_MAX = 5_000;
const APPEND_PAUSE_MS = 200;
/** Entries after which a snapshot replaces them, however short they are. */
const LOG_ENTRIES_MAX = 10_000;
/** Partitions of a topic in one piece of a whole image. */
const PIECE_PARTITIONS = 1_000;
/** How long the view may take to show what was written. */
const VISIBLE_MS_MAX = 5_000;

export interface Decision<T> {
  readonly changes: readonly ImageChange[];
  readonly result: T;
}

export interface Decided<T> {
  readonly result: T;
  /** The view that has this version shows it. */
  readonly version: number;
}

interface Asked {
  /** Throws ControlPlaneError. */
  readonly decide: (image: ClusterImage) => Decision<unknown>;
  readonly resolve: (decided: Decided<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/** Where the next entry goes. */
interface Head {
  readonly image: ClusterImage;
  readonly sequence: Sequence;
  readonly chain: number;
}

export class Controller {
  readonly #log: MetadataLog;
  readonly #clock: MemberClock;
  readonly #random: Random;
  readonly #brokerId: number;
  readonly #logBytesMax: number;
  readonly #view: MetadataView;
  readonly #changed: (isActive: boolean) => void;
  #head: Head;
  #isActive = false;
  #isBusy = false;
  #isClosed = false;
  readonly #queue: Asked[] = [];

  constructor(
    options: MemberOptions,
    settings: MemberSettings,
    view: MetadataView,
    changed: (isActive: boolean) => void,
  ) {
    this.#logBytesMax = settings.logBytesMax;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#brokerId = options.brokerId;
    this.#view = view;
    this.#changed = changed;
    this.#head = headOf(view);
    view.listen({
      applied: ({ after }) => this.#heard(after),
      frozen: () => this.stepDown(),
    });
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  get epoch(): number {
    return this.#head.image.controllerEpoch;
  }

  /** Whether this member is the controller now. `decide`: changes that belong to the takeover. */
  async takeOver(decide: (image: ClusterImage) => readonly ImageChange[]): Promise<boolean> {
    if (this.#isActive || this.#isBusy || this.#isClosed || !this.#view.isCurrent) return false;
    this.#isBusy = true;
    const head = headOf(this.#view);
    const controllerEpoch = head.image.controllerEpoch + 1;
    const controllerId = this.#brokerId;
    this.#head = { ...head, image: { ...head.image, controllerId, controllerEpoch } };
    const changes = sizedChanges(decide(head.image), this.#log.entryBytesMax);
    const hasWritten = await this.#written([changes], { isTakeover: true });
    this.#isBusy = false;
    if (!hasWritten || this.#isClosed || this.#view.image.controllerEpoch > controllerEpoch) {
      return false;
    }
    this.#isActive = true;
    this.#changed(true);
    void this.#run();
    return true;
  }

  /** Resolves when what was decided is durable and in this member's view. Faults: the decision's, unavailable. */
  decide<T>(decide: (image: ClusterImage) => Decision<T>): Promise<Decided<T>> {
    if (!this.#isActive || !this.#view.isConnected || this.#queue.length >= QUEUE_MAX) {
      return Promise.reject(unavailable());
    }
    return new Promise<Decided<T>>((resolve, reject) => {
      const settle = resolve as (decided: Decided<unknown>) => void;
      this.#queue.push({ decide, resolve: settle, reject });
      void this.#run();
    });
  }

  stepDown(): void {
    for (const { reject } of this.#queue.splice(0)) reject(unavailable());
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#changed(false);
  }

  close(): void {
    this.#isClosed = true;
    this.stepDown();
  }

  /** Somebody else's entry: the queue's turn is over. */
  #heard({ controllerId, controllerEpoch }: ClusterImage): void {
    const isOurs = controllerId === this.#brokerId && controllerEpoch <= this.epoch;
    if (this.#isActive && !isOurs && controllerEpoch >= this.epoch) this.stepDown();
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#isActive && this.#queue.length > 0) {
      // One turn later, so that what is asked together is written together.
      await Promise.resolve();
      await this.#step(this.#queue.splice(0, BATCH_MAX));
      if (this.#isActive && this.#isLogLong()) await this.#snapshot();
    }
    this.#isBusy = false;
  }

  #isLogLong(): boolean {
    const { bytes, entries } = this.#view.sinceSnapshot;
    return bytes > this.#logBytesMax || entries > LOG_ENTRIES_MAX;
  }

  async #step(asked: readonly Asked[]): Promise<void> {
    let { image } = this.#head;
    const groups: (readonly SizedChange[])[] = [];
    const accepted: { readonly asked: Asked; readonly result: unknown }[] = [];
    for (const each of asked) {
      try {
        const { changes, result } = each.decide(image);
        const sized = sizedChanges(changes, this.#log.entryBytesMax);
        image = applyChanges(image, changes);
        if (changes.length > 0) groups.push(sized);
        accepted.push({ asked: each, result });
      } catch (error) {
        each.reject(error);
      }
    }
    const hasWritten = groups.length === 0 || (await this.#written(groups));
    if (!hasWritten) this.stepDown();
    const { version } = this.#head.image;
    for (const { asked: each, result } of accepted) {
      if (!hasWritten) each.reject(unavailable());
      else void this.#visible(version).then(() => each.resolve({ result, version }));
    }
  }

  #visible(version: number): Promise<boolean> {
    return this.#view.until(() => this.#view.image.version >= version, VISIBLE_MS_MAX);
  }

  /** Whether all of it was written. */
  async #written(
    groups: readonly (readonly SizedChange[])[],
    { isTakeover = false }: { isTakeover?: boolean } = {},
  ): Promise<boolean> {
    const packs = packChanges(groups, this.#log.entryBytesMax);
    if (isTakeover && packs.length === 0) packs.push([]);
    try {
      for (const changes of packs) await this.#write(changes);
      return true;
    } catch (error) {
      if (error instanceof AppendConflict || error instanceof LogUnavailable) return false;
      throw error;
    }
  }

  async #write(changes: readonly ImageChange[], part?: SnapshotPart): Promise<Sequence> {
    const { image, chain, sequence: expected } = this.#head;
    const { clusterId, controllerId, controllerEpoch } = image;
    const version = image.version + 1;
    const numbers = { clusterId, controllerId, controllerEpoch, version, chain };
    const entry: Entry = { ...numbers, changes, ...(part && { part }) };
    const bytes = encodeEntry(entry);
    const sequence = await appendEntry(this.#log, { expected, bytes }, this);
    const after = part ? image : applyChanges(image, changes);
    this.#head = { image: { ...after, version }, sequence, chain: chainOf(bytes) };
    return sequence;
  }

  get clock(): MemberClock {
    return this.#clock;
  }
  get random(): Random {
    return this.#random;
  }

  /** The image so far as entries of its own; those before are not needed any more. */
  async #snapshot(): Promise<void> {
    const packs = snapshotPacks(this.#head.image, this.#log.entryBytesMax);
    try {
      let first: Sequence | undefined;
      for (const [index, changes] of packs.entries()) {
        const part = { index, count: packs.length, isRestored: false };
        const sequence = await this.#write(changes, part);
        first ??= sequence;
      }
      await this.#visible(this.#head.image.version);
      await this.#log.trim(first ?? 0);
    } catch (error) {
      if (!(error instanceof AppendConflict || error instanceof LogUnavailable)) throw error;
      this.stepDown();
    }
  }
}

/** A whole image as the changes of a few entries, at least one. */
export function snapshotPacks(image: ClusterImage, entryBytesMax: number): ImageChange[][] {
  const pieces = [...changesOf(image)].flatMap(inPieces);
  const packs = packChanges([sizedChanges(pieces, entryBytesMax)], entryBytesMax);
  return packs.length > 0 ? packs : [[]];
}

/** A topic of very many partitions is longer than an entry; the parts of a whole image are seen together. */
function inPieces(change: ImageChange): ImageChange[] {
  if (change.put !== "topic" || change.topic.partitions.length <= PIECE_PARTITIONS) return [change];
  const { topic } = change;
  const first = { ...topic, partitions: topic.partitions.slice(0, PIECE_PARTITIONS) };
  const pieces: ImageChange[] = [{ put: "topic", topic: first }];
  for (let at = PIECE_PARTITIONS; at < topic.partitions.length; at += PIECE_PARTITIONS) {
    const partitions = topic.partitions.slice(at, at + PIECE_PARTITIONS);
    pieces.push({ put: "partitions", topicId: topic.id, partitions });
  }
  return pieces;
}

/** Tries again with the same id while nobody knows. Rejects with AppendConflict or LogUnavailable. */
export async function appendEntry(
  log: MetadataLog,
  { expected, bytes }: { readonly expected: Sequence; readonly bytes: Uint8Array },
  { clock, random }: { readonly clock: MemberClock; readonly random: Random },
): Promise<Sequence> {
  const id = randomId(random);
  const endMs = clock.monotonicMs() + APPEND_MS_MAX;
  for (;;) {
    try {
      return await log.append({ expected, id, bytes });
    } catch (error) {
      if (!(error instanceof LogUnavailable) || clock.monotonicMs() >= endMs) throw error;
      await pause(clock, APPEND_PAUSE_MS);
    }
  }
}

function headOf({ image, sequence, chain }: MetadataView): Head {
  return { image, sequence, chain };
}

export function unavailable(why = "the controller moves"): ControlPlaneError {
  return new ControlPlaneError("unavailable", `The cluster takes no changes now: ${why}.`);
}
