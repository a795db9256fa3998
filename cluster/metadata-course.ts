// The course of a cluster's metadata: takes entries one by one and says what each means for the image so far, be it
// the next one, one that is known, a whole image, or one of another course. Pure; the same for the metadata log and
// for a broker's own copy of it.

import {
  applyChanges,
  type ClusterImage,
  emptyImage,
  type ImageChange,
  imageOf,
} from "./cluster-image.ts";
import { chainOf, type Entry, type SnapshotPart } from "./entry-codec.ts";
import { differenceOf } from "./image-difference.ts";

export interface Commit {
  readonly changes: readonly ImageChange[];
  readonly before: ClusterImage;
  readonly after: ClusterImage;
}

export type Taken =
  /** The image is a newer one now. */
  | { readonly kind: "applied"; readonly commit: Commit }
  /** Part of a whole image of which more must come. */
  | { readonly kind: "collected" }
  /** It is in the image already. */
  | { readonly kind: "known" }
  /** Entries before it are missing. */
  | { readonly kind: "gap" }
  /** `isBehind`: what the metadata service lost can be brought back; else this broker is at the wrong place. */
  | { readonly kind: "refused"; readonly reason: string; readonly isBehind: boolean };

interface Collection {
  readonly changes: ImageChange[];
  readonly count: number;
  /** Version and chain that the next part must have. */
  version: number;
  chain: number;
  collected: number;
}

export class MetadataCourse {
  image: ClusterImage;
  /** Checksum of the entry that made the image. */
  chain: number;
  #collection: Collection | undefined;

  /** An image without cluster id belongs to the first cluster whose entry comes. */
  constructor(start: { readonly image: ClusterImage; readonly chain: number }) {
    this.image = start.image;
    this.chain = start.chain;
  }

  get isCollecting(): boolean {
    return this.#collection !== undefined;
  }

  take(entry: Entry, bytes: Uint8Array): Taken {
    const { image } = this;
    if (image.clusterId !== "" && entry.clusterId !== image.clusterId) {
      return refused(
        `the metadata service holds cluster ${entry.clusterId}, this broker belongs to cluster ` +
          `${image.clusterId}: connect it to its own, or give it an empty folder`,
        { isBehind: false },
      );
    }
    if (this.#collection) return this.#collectMore(this.#collection, { entry, bytes });
    if (entry.version <= image.version) return this.#compare(entry, bytes);
    const isNext = entry.version === image.version + 1;
    const isFirst = image.version === 0;
    if (entry.part && (entry.part.isRestored || isFirst || !isNext)) {
      return this.#collectFirst(entry.part, { entry, bytes });
    }
    if (!isNext) return { kind: "gap" };
    if (entry.chain !== this.chain) return refused(otherCourse(entry.version));
    // Of a whole image that follows what is known, only the numbers are new.
    return this.#advance({ entry, bytes, changes: entry.part ? [] : entry.changes });
  }

  #compare(entry: Entry, bytes: Uint8Array): Taken {
    const isOther = entry.version === this.image.version && chainOf(bytes) !== this.chain;
    return isOther ? refused(otherCourse(entry.version)) : { kind: "known" };
  }

  #advance({ entry, bytes, changes }: Read & { readonly changes: readonly ImageChange[] }): Taken {
    const before = this.image;
    const begun = before.clusterId === "" ? emptyImage(entry.clusterId) : before;
    const after = { ...applyChanges(begun, changes), ...numbersOf(entry) };
    this.image = after;
    this.chain = chainOf(bytes);
    return { kind: "applied", commit: { changes, before, after } };
  }

  #collectFirst(part: SnapshotPart, read: Read): Taken {
    if (part.index !== 0) return { kind: "gap" };
    const { version, chain } = read.entry;
    const empty: Collection = { changes: [], count: part.count, version, chain, collected: 0 };
    this.#collection = empty;
    return this.#collectMore(empty, read);
  }

  #collectMore(collection: Collection, { entry, bytes }: Read): Taken {
    const { part } = entry;
    const isNext =
      part?.index === collection.collected &&
      entry.version === collection.version &&
      entry.chain === collection.chain;
    if (!isNext) {
      // Whoever wrote it did not get to its end: it never counted.
      this.#collection = undefined;
      return this.take(entry, bytes);
    }
    collection.changes.push(...entry.changes);
    collection.collected += 1;
    collection.version += 1;
    collection.chain = chainOf(bytes);
    if (collection.collected < collection.count) return { kind: "collected" };
    this.#collection = undefined;
    const before = this.image;
    const after = { ...imageOf(entry.clusterId, collection.changes), ...numbersOf(entry) };
    this.image = after;
    this.chain = collection.chain;
    return { kind: "applied", commit: { changes: differenceOf(before, after), before, after } };
  }
}

interface Read {
  readonly entry: Entry;
  readonly bytes: Uint8Array;
}

function numbersOf({ version, controllerId, controllerEpoch }: Entry) {
  return { version, controllerId, controllerEpoch };
}

function refused(reason: string, { isBehind = true } = {}): Taken {
  return { kind: "refused", reason, isBehind };
}

function otherCourse(version: number): string {
  return (
    `the cluster's metadata took another course than this broker knows (entry ${version} differs): ` +
    RESTORE_ADVICE
  );
}

export const RESTORE_ADVICE =
  "run `timberline cluster restore` on the broker with the newest copy; data is served meanwhile";
