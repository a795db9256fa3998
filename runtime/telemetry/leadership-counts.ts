// Leadership counts: elections that a broker won, and how the in-sync replicas of what it leads changed. Each event is
// counted once in a cluster: by whoever leads after it.

import type { PartitionRecord } from "../../cluster/control-plane.ts";

export class LeadershipCounts {
  isrShrinks = 0;
  isrExpansions = 0;
  electionsClean = 0;
  /** Of a replica that may lack acknowledged records. */
  electionsUnclean = 0;
  /** Back to the preferred leader, while the one before could have gone on. */
  electionsPreferred = 0;

  /** A partition's record became another. */
  note(before: PartitionRecord, after: PartitionRecord, brokerId: number): void {
    if (after.leader !== brokerId) return;
    if (before.leader !== brokerId) this.#elected(before, after);
    else this.#isrChanged(before.isr, after.isr);
  }

  #elected(before: PartitionRecord, after: PartitionRecord): void {
    const { leader, replicas, removing, isr } = after;
    const preferred = replicas.find((id) => !removing.includes(id));
    if (!before.isr.includes(leader) && !before.elr.includes(leader)) this.electionsUnclean++;
    else if (leader === preferred && isr.includes(before.leader)) this.electionsPreferred++;
    else this.electionsClean++;
  }

  #isrChanged(before: readonly number[], after: readonly number[]): void {
    if (before.some((id) => !after.includes(id))) this.isrShrinks++;
    if (after.some((id) => !before.includes(id))) this.isrExpansions++;
  }
}
