// Journal: keeps a cluster image through crashes. Changes are appended to one file; when that has grown, the whole
// image replaces the snapshot file and the journal starts anew. Both begin with a header line that names the
// format; a newer one is refused. Called by `memory.ts` only.

import { encodeLine } from "./change-codec.ts";
import { type ClusterImage, emptyImage, type ImageChange, imageOf } from "./cluster-image.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  FORMAT_ALONE,
  failed,
  headerLine,
  joined,
  readHeader,
  readLine,
  wholeLines,
} from "./snapshot.ts";

/** What the journal needs of a disk; all errors thrown mean "not written, or not known to be". */
export interface ClusterFiles {
  readSnapshot(): Uint8Array | undefined;
  /** Replaces the snapshot so that after a crash it is the old or the new one, whole. */
  writeSnapshot(bytes: Uint8Array): void;
  readJournal(): Uint8Array | undefined;
  /** Adds bytes at the end, all or nothing unless the process dies. */
  appendJournal(bytes: Uint8Array): void;
  /** Resolves when what was appended before survives a power loss. */
  syncJournal(): Promise<void>;
  truncateJournal(bytes: number): void;
  close(): void;
}

export const JOURNAL_KIND = "timberline-cluster-journal";
/** A journal below this is not worth a snapshot. */
const COMPACT_BYTES_MIN = 1 << 20;

export class Journal {
  readonly #files: ClusterFiles;
  #sequence: number;
  #journalBytes: number;
  #snapshotBytes: number;

  private constructor(files: ClusterFiles, at: { sequence: number; snapshotBytes: number }) {
    this.#files = files;
    this.#sequence = at.sequence;
    this.#snapshotBytes = at.snapshotBytes;
    this.#journalBytes = 0;
  }

  /** Reads what is there, or begins with an empty image. Throws storage-failed, saying what to do. */
  static open(files: ClusterFiles, newClusterId: () => string) {
    const snapshotBytes = files.readSnapshot();
    const journalBytes = files.readJournal() ?? new Uint8Array();
    if (!snapshotBytes && journalBytes.length > 0) {
      throw failed(
        "the cluster snapshot is missing while its journal is there: restore the folder",
      );
    }
    const snapshot = snapshotBytes && decodeSnapshot(snapshotBytes, FORMAT_ALONE);
    const journal = new Journal(files, {
      sequence: snapshot?.header.sequence ?? 0,
      snapshotBytes: snapshotBytes?.length ?? 0,
    });
    const before = snapshot?.image ?? emptyImage(newClusterId());
    const image = imageOf(before.clusterId, journal.#replay(journalBytes), before);
    // What is added to an old journal could not be read by those who read its header.
    if (!snapshot || snapshot.header.format < FORMAT_ALONE) journal.compact(image);
    return { journal, image };
  }

  /** Written, not yet durable. */
  append(change: ImageChange): void {
    const line = encodeLine({ sequence: this.#sequence + 1, change });
    this.#appendBytes(line);
    this.#sequence += 1;
  }

  sync(): Promise<void> {
    return this.#files.syncJournal();
  }

  get needsCompaction(): boolean {
    return this.#journalBytes > Math.max(COMPACT_BYTES_MIN, 2 * this.#snapshotBytes);
  }

  /**
   * `image` must hold every change appended so far. A crash between the two steps leaves changes in the journal
   * that the snapshot has too: their sequence numbers say so.
   */
  compact(image: ClusterImage): void {
    const bytes = encodeSnapshot(image, { format: FORMAT_ALONE, sequence: this.#sequence });
    this.#files.writeSnapshot(bytes);
    this.#snapshotBytes = bytes.length;
    this.#files.truncateJournal(0);
    this.#journalBytes = 0;
  }

  close(): void {
    this.#files.close();
  }

  #appendBytes(line: Uint8Array): void {
    const bytes =
      this.#journalBytes > 0
        ? line
        : joined([headerLine({ kind: JOURNAL_KIND, format: FORMAT_ALONE }), line]);
    this.#files.appendJournal(bytes);
    this.#journalBytes += bytes.length;
  }

  /** The changes that the snapshot does not have. */
  #replay(bytes: Uint8Array): ImageChange[] {
    const { lines, validBytes } = wholeLines(bytes);
    const changes: ImageChange[] = [];
    for (const [index, line] of lines.entries()) {
      if (index === 0) {
        readHeader(line, { kind: JOURNAL_KIND, formatMax: FORMAT_ALONE });
        continue;
      }
      const { sequence, change } = readLine(line, "journal");
      if (sequence <= this.#sequence) continue;
      changes.push(change);
      this.#sequence = sequence;
    }
    if (validBytes < bytes.length) this.#files.truncateJournal(validBytes);
    this.#journalBytes = validBytes;
    return changes;
  }
}
