// A member's own copy of the metadata: a snapshot file and a journal of the entries since. With it a broker notices
// that the metadata service went backwards, and can bring the metadata back. It vouches for nothing: the metadata log
// is what counts, so it is synced behind the others' backs. Called by `metadata-view.ts` only.

import { openLine, sealLine } from "./change-codec.ts";
import { type ClusterImage, emptyImage, fenceAll } from "./cluster-image.ts";
import { decodeEntry } from "./entry-codec.ts";
import { type ClusterFiles, JOURNAL_KIND, Journal } from "./journal.ts";
import { MetadataCourse } from "./metadata-course.ts";
import type { Sequence } from "./metadata-log.ts";
import {
  damaged,
  decodeSnapshot,
  encodeSnapshot,
  FORMAT_ALONE,
  FORMAT_MEMBER,
  headerLine,
  joined,
  readHeader,
  wholeLines,
} from "./snapshot.ts";

/** A journal below this is not worth a snapshot. */
const COMPACT_BYTES_MIN = 1 << 20;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface CopyContent {
  readonly course: MetadataCourse;
  /** Of the newest entry in the copy. */
  readonly sequence: Sequence;
  /** What a broker that was alone so far brings along: the beginning of a cluster. */
  readonly adopted: ClusterImage | undefined;
}

export class LocalCopy {
  readonly #files: ClusterFiles | undefined;
  #journalBytes = 0;
  #snapshotBytes = 0;
  /** Nothing of this cluster was written yet, or what was is not to be trusted: the next write is a whole one. */
  #needsWhole = true;
  #syncing = false;
  #failure: string | null = null;

  constructor(files: ClusterFiles | undefined) {
    this.#files = files;
  }

  /** Why the copy is not up to date, null while it is. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Throws storage-failed, saying what to do. */
  read(): CopyContent {
    const bytes = this.#files?.readSnapshot();
    if (!this.#files || (!bytes && !this.#files.readJournal())) return emptyContent();
    const isAlone = bytes === undefined || isOfFormatAlone(bytes);
    if (isAlone) return adoptedContent(this.#files);
    const { header, image } = decodeSnapshot(bytes);
    const course = new MetadataCourse({ image, chain: header.chain ?? 0 });
    const sequence = this.#replay(course, header.sequence ?? 0);
    this.#snapshotBytes = bytes.length;
    this.#needsWhole = false;
    return { course, sequence, adopted: undefined };
  }

  /** An entry that the course has taken. */
  keep(course: MetadataCourse, sequence: Sequence, bytes: Uint8Array): void {
    if (!this.#files) return;
    try {
      const isFull = this.#journalBytes > Math.max(COMPACT_BYTES_MIN, 2 * this.#snapshotBytes);
      if ((this.#needsWhole || isFull) && !course.isCollecting) this.#writeWhole(course, sequence);
      else if (!this.#needsWhole) this.#append(sequence, bytes);
      this.#failure = null;
    } catch (error) {
      this.#fail(error);
    }
  }

  close(): void {
    this.#files?.close();
  }

  #append(sequence: Sequence, bytes: Uint8Array): void {
    const line = sealLine(`${sequence} ${decoder.decode(bytes)}`);
    const header = headerLine({ kind: JOURNAL_KIND, format: FORMAT_MEMBER });
    const written = this.#journalBytes > 0 ? line : joined([header, line]);
    this.#files?.appendJournal(written);
    this.#journalBytes += written.length;
    void this.#sync();
  }

  #writeWhole({ image, chain }: MetadataCourse, sequence: Sequence): void {
    this.#needsWhole = true;
    const bytes = encodeSnapshot(image, { format: FORMAT_MEMBER, sequence, chain });
    this.#files?.writeSnapshot(bytes);
    this.#files?.truncateJournal(0);
    this.#snapshotBytes = bytes.length;
    this.#journalBytes = 0;
    this.#needsWhole = false;
  }

  async #sync(): Promise<void> {
    if (this.#syncing) return;
    this.#syncing = true;
    // Entries that come together share a sync.
    await Promise.resolve();
    try {
      await this.#files?.syncJournal();
    } catch (error) {
      this.#fail(error);
    }
    this.#syncing = false;
  }

  #fail(error: unknown): void {
    this.#needsWhole = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#failure = `this broker's copy of the metadata cannot be written (${why}): see to its disk`;
  }

  /** Returns the sequence of the last entry replayed. */
  #replay(course: MetadataCourse, from: Sequence): Sequence {
    const bytes = this.#files?.readJournal() ?? new Uint8Array();
    const { lines, validBytes } = wholeLines(bytes);
    if (isOfFormatAlone(bytes)) {
      // Left by a crash in the middle of the first whole write: the snapshot has it all.
      this.#files?.truncateJournal(0);
      return from;
    }
    if (validBytes < bytes.length) this.#files?.truncateJournal(validBytes);
    this.#journalBytes = validBytes;
    let sequence = from;
    for (const [index, line] of lines.entries()) {
      if (index === 0) readHeader(line, { kind: JOURNAL_KIND, formatMax: FORMAT_MEMBER });
      else sequence = replayLine(course, line);
    }
    return sequence;
  }
}

function replayLine(course: MetadataCourse, line: Uint8Array): Sequence {
  const text = openLine(line);
  const space = text?.indexOf(" ") ?? -1;
  if (text === undefined || space < 1) throw damaged("journal");
  const bytes = encoder.encode(text.slice(space + 1));
  const { kind } = course.take(decodeEntry(bytes), bytes);
  if (kind === "gap" || kind === "refused") throw damaged("journal");
  return Number(text.slice(0, space));
}

function emptyContent(): CopyContent {
  const course = new MetadataCourse({ image: emptyImage(""), chain: 0 });
  return { course, sequence: 0, adopted: undefined };
}

function adoptedContent(files: ClusterFiles): CopyContent {
  const { image } = Journal.open(files, () => "");
  return { ...emptyContent(), adopted: fenceAll(image) };
}

function isOfFormatAlone(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(0x0a);
  const text = end < 0 ? undefined : openLine(bytes.subarray(0, end));
  return text !== undefined && (JSON.parse(text) as { format: number }).format <= FORMAT_ALONE;
}
