// The file of a shared metadata log: one sealed line per entry, and a snapshot file with what a trim left. Called by
// `shared-log.ts` only. Persisted: never renumber.

import { openLine, sealLine } from "./change-codec.ts";
import type { ClusterFiles } from "./journal.ts";
import type { LogEntry, Sequence } from "./metadata-log.ts";
import { damaged, headerLine, joined, rawLines, readHeader, wholeLines } from "./snapshot.ts";

export type LogFiles = ClusterFiles;

const FORMAT = 1;
const KIND = "timberline-metadata-log";

interface Content {
  readonly entries: LogEntry[];
  readonly last: Sequence;
}

export class StoredLog {
  readonly #files: LogFiles;

  constructor(files: LogFiles) {
    this.#files = files;
  }

  /** Throws storage-failed for what is damaged or newer. */
  read(): Content {
    const trimmed = this.#readTrimmed(this.#files.readSnapshot());
    const bytes = this.#files.readJournal() ?? new Uint8Array();
    const { lines, validBytes } = wholeLines(bytes);
    if (validBytes < bytes.length) this.#files.truncateJournal(validBytes);
    const entries = [...trimmed.entries];
    let { last } = trimmed;
    for (const line of lines) {
      const entry = decodeEntry(line);
      // A crash between the two steps of a trim leaves entries in both files.
      if (entry.sequence <= last) continue;
      entries.push(entry);
      last = entry.sequence;
    }
    return { entries, last };
  }

  /** Resolves when the entry survives a power loss; after a rejection nobody knows. */
  async append(entry: LogEntry): Promise<void> {
    this.#files.appendJournal(encodeEntry(entry));
    await this.#files.syncJournal();
  }

  replace({ entries, last }: Content): void {
    const header = headerLine({ kind: KIND, format: FORMAT, sequence: last });
    this.#files.writeSnapshot(joined([header, ...entries.map(encodeEntry)]));
    this.#files.truncateJournal(0);
  }

  close(): void {
    this.#files.close();
  }

  #readTrimmed(bytes: Uint8Array | undefined): Content {
    if (bytes === undefined) return { entries: [], last: 0 };
    const [first, ...lines] = rawLines(bytes);
    const header = readHeader(first ?? new Uint8Array(), { kind: KIND, formatMax: FORMAT });
    return { entries: lines.map(decodeEntry), last: header.sequence ?? 0 };
  }
}

function encodeEntry({ sequence, bytes }: LogEntry): Uint8Array {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return sealLine(`${sequence} ${btoa(text)}`);
}

function decodeEntry(line: Uint8Array): LogEntry {
  const [sequence, base64] = openLine(line)?.split(" ") ?? [];
  if (base64 === undefined) throw damaged("metadata log");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return { sequence: Number(sequence), bytes };
}
