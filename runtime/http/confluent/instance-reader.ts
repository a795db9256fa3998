// InstanceReader: one read of an instance. Its position is moved before the answer leaves, with where the records
// began beside it, and that note goes when the answer was taken: whoever finds an old one reads the records again. So an
// answer that was lost with its node, or cut with its client, comes once more.

import type { DecodedRecord } from "../../../storage-wasm/core.ts";
import type { FetchedPartition, TopicPartition } from "../../broker.ts";
import { busy } from "../body.ts";
import { decodeFetched } from "../fetched-records.ts";
import type { Door } from "../route.ts";
import { hasCode } from "./error.ts";
import {
  type Held,
  type Instance,
  type InstanceId,
  movedTo,
  type Span,
  sameHeld,
  takenBack,
} from "./instance.ts";
import {
  asCommitted,
  commitOffsets,
  positioned,
  resetOffset,
  uncommitted,
} from "./instance-offsets.ts";
import type { InstanceTable } from "./instance-table.ts";
import { isOutside, type Membership } from "./membership.ts";

export interface ReadOptions {
  readonly waitMs: number;
  /** Of keys and values; one record is returned even above it. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface ReadRecord extends DecodedRecord, TopicPartition {}

export interface Read {
  readonly instance: Instance;
  readonly records: readonly ReadRecord[];
  /** To be called once, when the answer was taken, or was not. */
  ended(isTaken: boolean): Promise<void>;
}

/** One wait for records: between two of them news of the group are heard. */
const sliceMs = 2_000;
/** Without partitions, how often the group is asked again. */
const idleMs = 200;
/** How long an answer under way is waited for before its records are read again. */
const handedMsMax = 3_000;
const lookMsMax = 100;
/** Far more than a read of a minute takes. */
const turnsMax = 1_000;

export class InstanceReader {
  readonly #door: Door;
  readonly #table: InstanceTable;
  readonly #membership: Membership;
  /** So that a busy first partition does not starve the others. */
  #turn = 0;

  constructor(door: Door, table: InstanceTable, membership: Membership) {
    this.#door = door;
    this.#table = table;
    this.#membership = membership;
  }

  async read(id: InstanceId, options: ReadOptions): Promise<Read> {
    const { clock } = this.#door.platform;
    const startMs = clock.monotonicMs();
    let instance = await this.#commitBefore(await this.settled(id));
    const waitMs = options.waitMs < 0 ? instance.waitMs : options.waitMs;
    for (let turn = 0; turn < turnsMax; turn++) {
      instance = await this.#ready(turn === 0 ? instance : await this.settled(id));
      const leftMs = Math.max(0, startMs + waitMs - clock.monotonicMs());
      const found = await this.#fetch(instance, { ...options, waitMs: Math.min(leftMs, sliceMs) });
      const isOut = options.signal.aborted;
      const read = isOut ? undefined : await this.#take(instance, found);
      if (read !== undefined) return read;
      const isOver = isOut || startMs + waitMs <= clock.monotonicMs();
      if (isOut || (isOver && found.records.length === 0)) return nothing(instance);
    }
    throw busy("others read this consumer all the time; try again");
  }

  /** As of now, with no answer under way: one that does not end in time is taken back. */
  async settled(id: InstanceId): Promise<Instance> {
    const { clock } = this.#door.platform;
    const startMs = clock.monotonicMs();
    let instance = await this.#table.get(id);
    for (let pauseMs = 5; instance.handed !== null; pauseMs = Math.min(2 * pauseMs, lookMsMax)) {
      if (clock.monotonicMs() - startMs >= handedMsMax) {
        const stored = await this.#table.put(instance, takenBack(instance));
        if (stored !== undefined) return stored;
      } else await this.#table.changed(id, pauseMs);
      instance = await this.#table.get(id);
    }
    return instance;
  }

  /** Who reads on has done with what was read: that is what auto commit means here. */
  async #commitBefore(instance: Instance): Promise<Instance> {
    if (!instance.autoCommit) return instance;
    const offsets = uncommitted(instance);
    if (offsets.length === 0) return instance;
    try {
      await commitOffsets(this.#door, instance, offsets);
    } catch (error) {
      if (!isOutside(error)) throw error;
      return this.#membership.speak(instance);
    }
    const next = { ...instance, held: asCommitted(instance.held) };
    return (await this.#table.put(instance, next)) ?? this.settled(instance);
  }

  /** A member, with positions. */
  async #ready(instance: Instance): Promise<Instance> {
    const member = await this.#membership.keep(instance);
    const held = await positioned(this.#door, member);
    if (held === member.held || sameHeld(held, member.held)) return member;
    const next = { ...member, held };
    return (await this.#table.put(member, next)) ?? this.#table.get(instance);
  }

  async #fetch(instance: Instance, options: ReadOptions): Promise<Found> {
    const readable = instance.held.filter(({ offset }) => offset !== null);
    if (readable.length === 0) {
      await this.#table.changed(instance, Math.min(options.waitMs, idleMs));
      return { records: [], spans: [] };
    }
    const first = this.#turn++ % readable.length;
    const asked = [...readable.slice(first), ...readable.slice(0, first)];
    const bytesMax = Math.min(options.bytesMax, this.#door.config.limits.decodeBytesMax);
    const fetched = await this.#door.broker.fetch({
      partitions: asked.map(({ topic, partition, offset }) => {
        return { topic, partition, offset: offset!, bytesMax, currentLeaderEpoch: -1 };
      }),
      waitMsMax: Math.ceil(options.waitMs),
      bytesMin: Math.min(instance.bytesMin, bytesMax),
      bytesMax,
      isolation: "read_committed",
      signal: options.signal,
    });
    return this.#decode(instance, asked, { fetched, bytesMax: options.bytesMax });
  }

  async #decode(
    instance: Instance,
    asked: readonly Held[],
    { fetched, bytesMax }: { fetched: readonly FetchedPartition[]; bytesMax: number },
  ): Promise<Found> {
    const records: ReadRecord[] = [];
    const spans: Span[] = [];
    const waiting = [...fetched];
    try {
      let left = bytesMax;
      for (const { topic, partition, offset } of asked) {
        const answer = waiting.shift()!;
        const from = offset!;
        const part =
          answer.error === null && left > 0
            ? await this.#records(answer, { from, left, isFirst: records.length === 0 })
            : await this.#afterError(instance, { topic, partition }, answer);
        if (part === null) continue;
        left -= part.bytes;
        for (const record of part.records) records.push({ ...record, topic, partition });
        if (part.to !== from) spans.push({ topic, partition, from, to: part.to });
      }
    } finally {
      for (const { records } of waiting) records.release();
    }
    return { records, spans };
  }

  /** As many as `left` bytes hold; one more if it is the first of the answer. */
  async #records(
    answer: FetchedPartition,
    { from, left, isFirst }: { from: number; left: number; isFirst: boolean },
  ): Promise<Part> {
    const anywhere = Number.POSITIVE_INFINITY;
    const range = { offset: from, endOffset: anywhere, recordsMax: anywhere };
    const decoded = await decodeFetched(this.#door, answer, range);
    let bytes = 0;
    for (const [i, record] of decoded.records.entries()) {
      const more = (record.key?.length ?? 0) + (record.value?.length ?? 0);
      const isLast = bytes + more > left && !(isFirst && i === 0);
      if (isLast) return { records: decoded.records.slice(0, i), to: record.offset, bytes: left };
      bytes += more;
    }
    return { records: decoded.records, to: decoded.nextOffset, bytes };
  }

  /** Where to go on; null: as before, because it may pass, or there is no room. */
  async #afterError(
    instance: Instance,
    place: TopicPartition,
    { error, records }: FetchedPartition,
  ): Promise<Part | null> {
    records.release();
    if (!hasCode(error, "OFFSET_OUT_OF_RANGE")) return null;
    const [found] = await resetOffset(this.#door, instance, place);
    return found === undefined ? null : { records: [], to: found.offset, bytes: 0 };
  }

  /** Moves the position. Undefined: somebody else did meanwhile, or there is nothing to answer. */
  async #take(instance: Instance, { records, spans }: Found): Promise<Read | undefined> {
    if (spans.length === 0) return undefined;
    const positions = spans.map(({ topic, partition, to }) => ({ topic, partition, offset: to }));
    const held = movedTo(instance.held, positions);
    const id = this.#table.newText();
    const handed = records.length === 0 ? null : { id, spans };
    const usedMs = this.#door.platform.clock.nowMs();
    const stored = await this.#table.put(instance, { ...instance, held, handed, usedMs });
    if (stored === undefined || handed === null) return undefined;
    return { instance: stored, records, ended: (isTaken) => this.#ended(stored, id, isTaken) };
  }

  async #ended(instance: Instance, id: string, isTaken: boolean): Promise<void> {
    let current: Instance | undefined = instance;
    while (current?.handed?.id === id) {
      const next = isTaken ? { ...current, handed: null } : takenBack(current);
      if ((await this.#table.put(current, next)) !== undefined) return;
      current = this.#table.peek(instance);
    }
  }
}

interface Found {
  readonly records: readonly ReadRecord[];
  readonly spans: readonly Span[];
}

interface Part {
  readonly records: readonly DecodedRecord[];
  /** Where the next read goes on. */
  readonly to: number;
  readonly bytes: number;
}

function nothing(instance: Instance): Read {
  return { instance, records: [], ended: async () => {} };
}
