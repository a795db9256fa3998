// One entry of the metadata log as bytes: JSON, written by the active controller only. Each names the checksum of the
// one before it, so a log that took another course is noticed wherever it is read on. Persisted: never rename a field;
// a new meaning needs a new format number.

import { crc32, type PlainChange, plainChange, reviveChange } from "./change-codec.ts";
import type { ImageChange } from "./cluster-image.ts";
import { ControlPlaneError } from "./control-plane.ts";

const FORMAT = 1;
/** Bytes of an entry beside its changes, generously. */
const FRAME_BYTES_MAX = 512;

export interface Entry {
  readonly clusterId: string;
  readonly controllerId: number;
  /** Grows with each takeover. */
  readonly controllerEpoch: number;
  /** Grows by one with each entry. */
  readonly version: number;
  /** Checksum of the entry before; 0 for the first one. */
  readonly chain: number;
  readonly changes: readonly ImageChange[];
  /** One of the entries that hold a whole image. */
  readonly part?: SnapshotPart;
}

export interface SnapshotPart {
  readonly index: number;
  readonly count: number;
  /** Brought back by hand: counts whatever was before. */
  readonly isRestored: boolean;
}

/** Bytes that this version cannot or must not follow; the message says what to do. */
export class EntryRefused extends Error {}

interface PlainEntry {
  readonly format: number;
  readonly cluster: string;
  readonly controller: readonly [id: number, epoch: number];
  readonly version: number;
  readonly after: number;
  readonly changes: readonly PlainChange[];
  readonly snapshot?: { readonly part: number; readonly parts: number; readonly restored: boolean };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeEntry(entry: Entry): Uint8Array {
  const { part } = entry;
  const plain: PlainEntry = {
    format: FORMAT,
    cluster: entry.clusterId,
    controller: [entry.controllerId, entry.controllerEpoch],
    version: entry.version,
    after: entry.chain,
    changes: entry.changes.map(plainChange),
    ...(part && {
      snapshot: { part: part.index, parts: part.count, restored: part.isRestored },
    }),
  };
  return encoder.encode(JSON.stringify(plain));
}

/** Throws EntryRefused. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const plain = parsed(bytes);
  if (plain.format > FORMAT) {
    throw new EntryRefused(
      `the cluster's metadata has format ${plain.format}, this broker reads up to ${FORMAT}: ` +
        "update this broker to the version of the others",
    );
  }
  const { snapshot } = plain;
  return {
    clusterId: plain.cluster,
    controllerId: plain.controller[0],
    controllerEpoch: plain.controller[1],
    version: plain.version,
    chain: plain.after,
    changes: plain.changes.map(reviveChange),
    ...(snapshot && {
      part: { index: snapshot.part, count: snapshot.parts, isRestored: snapshot.restored },
    }),
  };
}

/** What the next entry names as its predecessor. */
export function chainOf(bytes: Uint8Array): number {
  return crc32(bytes);
}

/** A change and its share of an entry. */
export interface SizedChange {
  readonly change: ImageChange;
  readonly bytes: number;
}

/** Changes with their lengths; those too long for an entry in pieces. Throws storage-failed where none would do. */
export function sizedChanges(
  changes: readonly ImageChange[],
  entryBytesMax: number,
): readonly SizedChange[] {
  return changes.flatMap((change) => sizedPieces(change, entryBytesMax - FRAME_BYTES_MAX));
}

/**
 * Groups of changes packed into as few entries as fit. A group, what one decision changes, is split only where it is
 * longer than an entry.
 */
export function packChanges(
  groups: readonly (readonly SizedChange[])[],
  entryBytesMax: number,
): ImageChange[][] {
  const bytesMax = entryBytesMax - FRAME_BYTES_MAX;
  const packs: ImageChange[][] = [];
  let room = 0;
  const add = (sized: readonly SizedChange[]) => {
    const total = bytesOf(sized);
    if (packs.length === 0 || total > room) {
      packs.push([]);
      room = bytesMax;
    }
    room -= total;
    packs.at(-1)?.push(...sized.map(({ change }) => change));
  };
  for (const group of groups) {
    if (group.length === 0) continue;
    if (bytesOf(group) <= bytesMax) add(group);
    else for (const one of group) add([one]);
  }
  return packs;
}

function bytesOf(sized: readonly SizedChange[]): number {
  return sized.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A topic's changed partitions can be said in two entries where one is too short. */
function sizedPieces(change: ImageChange, bytesMax: number): SizedChange[] {
  const bytes = encoder.encode(JSON.stringify(plainChange(change))).length + 1;
  if (bytes <= bytesMax) return [{ change, bytes }];
  if (change.put !== "partitions" || change.partitions.length < 2) {
    throw new ControlPlaneError(
      "storage-failed",
      `The change is too long for the metadata service: ${bytes} bytes, at most ${bytesMax}.`,
    );
  }
  const middle = change.partitions.length >> 1;
  const halves = [change.partitions.slice(0, middle), change.partitions.slice(middle)];
  return halves.flatMap((partitions) => sizedPieces({ ...change, partitions }, bytesMax));
}

function parsed(bytes: Uint8Array): PlainEntry {
  try {
    const value = JSON.parse(decoder.decode(bytes)) as PlainEntry;
    if (Number.isInteger(value.format) && typeof value.cluster === "string") return value;
  } catch (cause) {
    throw new EntryRefused(UNREADABLE, { cause });
  }
  throw new EntryRefused(UNREADABLE);
}

const UNREADABLE =
  "the metadata service holds an entry that no Timberline wrote: give each cluster a stream of its own";
