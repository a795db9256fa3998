// Where a single broker's control plane keeps its state: two files in the data folder. Adapts Storage to what
// `cluster/memory.ts` asks for; used by `node-modules.ts`.

import type { ClusterFiles } from "../../cluster/memory.ts";
import type { Storage, StorageFile } from "../storage/storage.ts";

const snapshotFile = "timberline-cluster.json";
const journalFile = "timberline-cluster.journal";

export function clusterFiles(storage: Storage): ClusterFiles {
  let journal: StorageFile | undefined;
  const opened = () => {
    journal ??= storage.open(journalFile, { create: true });
    return journal;
  };
  return {
    readSnapshot: () => storage.readFile(snapshotFile),
    writeSnapshot: (bytes) => storage.writeFile(snapshotFile, bytes),
    readJournal: () => storage.readFile(journalFile),
    appendJournal: (bytes) => opened().append(bytes),
    syncJournal: () => opened().sync(),
    truncateJournal: (bytes) => opened().truncate(bytes),
    close: () => journal?.close(),
  };
}
