// Where the in-process control plane keeps its snapshot and journal: two files in the root of the data folder,
// beside Kafka's own, which Kafka's tools pass over.

import type { Storage } from "./storage/storage.ts";

/** Persisted names. */
const SNAPSHOT_FILE = "timberline-cluster.snapshot";
const JOURNAL_FILE = "timberline-cluster.journal";

/** What `openMemoryControlPlane` takes as `files`. Closing it leaves the storage open. */
export function clusterFiles(storage: Storage) {
  const journal = storage.open(JOURNAL_FILE, { create: true });
  return {
    readSnapshot: () => storage.readFile(SNAPSHOT_FILE),
    writeSnapshot: (bytes: Uint8Array) => storage.writeFile(SNAPSHOT_FILE, bytes),
    readJournal(): Uint8Array {
      const bytes = new Uint8Array(journal.size);
      return bytes.subarray(0, journal.readSync(bytes, 0));
    },
    appendJournal: (bytes: Uint8Array) => journal.append(bytes),
    syncJournal: () => journal.sync(),
    truncateJournal: (bytes: number) => journal.truncate(bytes),
    close: () => journal.close(),
  };
}
