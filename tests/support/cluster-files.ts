// The two files of a control plane, in memory, with a crash that keeps what was synced and a chance to fail a step.

import type { ClusterFiles } from "../../cluster/journal.ts";

/** Files that survive in this object; `crash` gives what a machine finds that lost power now. */
export class FakeClusterFiles implements ClusterFiles {
  snapshot: Uint8Array | undefined;
  journal = new Uint8Array();
  syncedBytes = 0;
  syncs = 0;
  /** Runs before each step; throws to fail it. */
  before: (step: string) => void = () => undefined;

  readSnapshot = () => this.snapshot;
  readJournal = () => (this.journal.length > 0 ? this.journal : undefined);

  writeSnapshot(bytes: Uint8Array): void {
    this.before("snapshot");
    this.snapshot = bytes;
  }

  appendJournal(bytes: Uint8Array): void {
    this.before("append");
    const grown = new Uint8Array(this.journal.length + bytes.length);
    grown.set(this.journal);
    grown.set(bytes, this.journal.length);
    this.journal = grown;
  }

  async syncJournal(): Promise<void> {
    const bytes = this.journal.length;
    this.syncs += 1;
    await new Promise((resolve) => setImmediate(resolve));
    this.before("sync");
    this.syncedBytes = Math.max(this.syncedBytes, Math.min(bytes, this.journal.length));
  }

  truncateJournal(bytes: number): void {
    this.before("truncate");
    this.journal = this.journal.slice(0, bytes);
    this.syncedBytes = Math.min(this.syncedBytes, bytes);
  }

  close(): void {
    this.before("close");
  }

  crash(keptBytes: number): FakeClusterFiles {
    const after = new FakeClusterFiles();
    after.snapshot = this.snapshot;
    after.journal = this.journal.slice(0, Math.max(keptBytes, this.syncedBytes));
    after.syncedBytes = after.journal.length;
    return after;
  }
}
