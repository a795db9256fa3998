// Leadership counts: elections that a broker won, and how the in-sync replicas of what it leads changed. Each event is
// counted once in a cluster: by whoever leads after it.

/** Of a partition's record in the control plane. */
interface Leadership {
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly removing: readonly number[];
  readonly isr: readonly number[];
  readonly elr: readonly number[];
}

export class LeadershipCounts {
  isrShrinks = 0;
  isrExpansions = 0;
  electionsClean = 0;
  /** Of a replica that may lack acknowledged records. */
  electionsUnclean = 0;
  /** Back to the preferred leader, while the one before could have gone on. */
  electionsPreferred = 0;

  /** A partition's record became another. */
  note(before: Leadership, after: Leadership, brokerId: number): void {
    if (after.leader !== brokerId) return;
    if (before.leader !== brokerId) this.#elected(before, after);
    else this.#isrChanged(before.isr, after.isr);
  }

  #elected(before: Leadership, after: Leadership): void {
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
