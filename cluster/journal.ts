// Journal: keeps a cluster image through crashes. Changes are appended to one file; when that has grown, the whole
// image replaces the snapshot file and the journal starts anew. Both begin with a header line that names the
// format; a newer one is refused. Called by `memory.ts` only.

import { decodeLine, encodeLine, openLine, sealLine } from "./change-codec.ts";
import { type ClusterImage, changesOf, type ImageChange, imageOf } from "./cluster-image.ts";
import { ControlPlaneError } from "./control-plane.ts";

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

/** Persisted: never renumber. 2 added configs of groups; folders of 1 are read, and are 2 from then on. */
const FORMAT = 2;
const SNAPSHOT_KIND = "timberline-cluster";
const JOURNAL_KIND = "timberline-cluster-journal";
/** A journal below this is not worth a snapshot. */
const COMPACT_BYTES_MIN = 1 << 20;

interface Header {
  readonly kind: string;
  readonly format: number;
  readonly clusterId?: string;
  /** Snapshots: the last change in it, and how many lines follow. */
  readonly sequence?: number;
  readonly lines?: number;
}

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
    const snapshot = snapshotBytes
      ? readSnapshot(snapshotBytes)
      : { clusterId: newClusterId(), changes: [], sequence: 0, format: FORMAT };
    const journal = new Journal(files, {
      sequence: snapshot.sequence,
      snapshotBytes: snapshotBytes?.length ?? 0,
    });
    const later = journal.#replay(journalBytes);
    const image = imageOf(snapshot.clusterId, [...snapshot.changes, ...later]);
    // What is added to an old journal could not be read by those who read its header.
    if (!snapshotBytes || snapshot.format < FORMAT) journal.compact(image);
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
    const bytes = encodeSnapshot(image, this.#sequence);
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
      this.#journalBytes > 0 ? line : joined([headerLine({ kind: JOURNAL_KIND }), line]);
    this.#files.appendJournal(bytes);
    this.#journalBytes += bytes.length;
  }

  /** The changes that the snapshot does not have. */
  #replay(bytes: Uint8Array): ImageChange[] {
    const { lines, validBytes } = splitLines(bytes);
    const changes: ImageChange[] = [];
    for (const [index, line] of lines.entries()) {
      if (index === 0) {
        readHeader(line, JOURNAL_KIND);
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

function encodeSnapshot(image: ClusterImage, sequence: number): Uint8Array {
  const lines = [...changesOf(image)].map((change) => encodeLine({ sequence, change }));
  const { clusterId } = image;
  const header = { kind: SNAPSHOT_KIND, clusterId, sequence, lines: lines.length };
  return joined([headerLine(header), ...lines]);
}

interface Snapshot {
  readonly clusterId: string;
  readonly changes: readonly ImageChange[];
  readonly sequence: number;
  readonly format: number;
}

function readSnapshot(bytes: Uint8Array): Snapshot {
  const lines = bytes.at(-1) === 0x0a ? rawLines(bytes) : [];
  const header = readHeader(lines[0] ?? new Uint8Array(), SNAPSHOT_KIND);
  if (header.lines !== lines.length - 1) throw damaged("snapshot");
  const changes = lines.slice(1).map((line) => readLine(line, "snapshot").change);
  const { clusterId = "", sequence = 0, format } = header;
  return { clusterId, changes, sequence, format };
}

/**
 * Lines up to the last whole one. A damaged end is what a crash leaves of changes that nobody was told of; damage
 * before a good line is not, and is refused.
 */
function splitLines(bytes: Uint8Array): { lines: Uint8Array[]; validBytes: number } {
  const lines = rawLines(bytes);
  let validBytes = bytes.lastIndexOf(0x0a) + 1;
  while (lines.length > 0 && openLine(lines.at(-1)!) === undefined) {
    validBytes -= lines.pop()!.length + 1;
  }
  return { lines, validBytes };
}

/** The lines that end in a line feed, without it. */
function rawLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function readLine(line: Uint8Array, where: string) {
  const decoded = decodeLine(line);
  if (!decoded) throw damaged(where);
  return decoded;
}

function headerLine(header: Omit<Header, "format">): Uint8Array {
  return sealLine(JSON.stringify({ format: FORMAT, ...header }));
}

function readHeader(line: Uint8Array, kind: string): Header {
  const text = openLine(line);
  if (text === undefined) throw damaged(kind);
  const header = JSON.parse(text) as Header;
  if (header.kind !== kind) throw damaged(kind);
  if (header.format > FORMAT) {
    throw failed(
      `the cluster metadata has format ${header.format}, this version reads up to ${FORMAT}: ` +
        "start the newer Timberline that wrote it",
    );
  }
  return header;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

function damaged(where: string): ControlPlaneError {
  return failed(`the cluster metadata is damaged (${where}): restore the folder from a backup`);
}

function failed(message: string): ControlPlaneError {
  return new ControlPlaneError("storage-failed", message);
}
