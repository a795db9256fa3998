// The rules that `mutants.ts` breaks: where each stands in the sources, and what stands there instead.

export interface Edit {
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant extends Edit {
  readonly rule: string;
  /** Where else the rule stands: it is broken in both places. */
  readonly also?: Edit;
  /** 1: a broker that is alone must keep it. */
  readonly brokers?: 1;
  /** Another rule that holds the line alone: only with both broken anything can be found. */
  readonly behind?: Edit & { readonly rule: string };
  /** The plot of all seeds; absent: each seed is what it is. */
  readonly plot?: string;
}

const leaderState = "runtime/replication/leader-state.ts";
const leader = "runtime/replication/leader.ts";
const partition = "runtime/log/partition.ts";
const replicas = "runtime/replication/replicas.ts";

export const mutants: readonly Mutant[] = [
  {
    rule: "a replica that is about to join the ISR counts for the high watermark",
    file: leaderState,
    find: "return adds === null || isr.includes(adds) ? isr : [...isr, adds];",
    replace: "return adds === null ? isr : isr;",
  },
  {
    rule: "a replica that is about to leave the ISR still counts",
    file: leaderState,
    find: "    const { isr } = this.#committed;\n    return adds",
    replace:
      "    const isr = this.#pending?.isr.map(({ id }) => id) ?? this.#committed.isr;\n    return adds",
  },
  {
    rule: "the high watermark stands still below min.insync.replicas",
    file: leaderState,
    find: "if (this.inSyncCount < inSyncMin) return false;",
    replace: "if (inSyncMin < 0) return false;",
  },
  {
    rule: "acks=all waits for the high watermark",
    file: leader,
    find: "if (this.state.highWatermark < appended.nextOffset) {",
    replace: "if (this.state.highWatermark < -appended.nextOffset) {",
  },
  {
    rule: "min.insync.replicas is looked at again when acks=all ends",
    file: "runtime/replication/replication-waits.ts",
    find: "const tooFew = this.#options.tooFew();\n    for",
    replace: "const tooFew = undefined;\n    for",
    behind: {
      rule: "the high watermark stands still below it",
      file: leaderState,
      find: "if (this.inSyncCount < inSyncMin) return false;",
      replace: "if (inSyncMin < 0) return false;",
    },
  },
  {
    rule: "a new leader knows nothing of its followers",
    file: leaderState,
    find: "      logEnd: -1,\n      lastFetchMs",
    replace: "      logEnd: isInSync ? this.startOffset : -1,\n      lastFetchMs",
    plot: "one is slower",
  },
  {
    rule: "a follower joins only when it has all that is committed",
    file: leaderState,
    find: "if (follower === undefined || follower.logEnd < this.#highWatermark) return null;",
    replace: "if (follower === undefined) return null;",
  },
  {
    rule: "a follower joins only when it has all that was there when the epoch began",
    file: leaderState,
    find: "if (follower.logEnd < this.startOffset) return null;",
    replace: "",
  },
  {
    rule: "only the incarnation that caught up may join",
    file: "cluster/decisions/isr-changes.ts",
    find: "if (broker.epoch !== epoch) return",
    replace: "if (broker.epoch < 0) return",
    plot: "another one joins",
  },
  {
    rule: "a follower cuts its log by epochs",
    file: "runtime/replication/truncation.ts",
    find: "return agrees ? undefined : end;",
    replace: "return agrees || end ? undefined : end;",
  },
  {
    rule: "a follower cuts where its own epoch ended, not where the leader's did",
    file: "runtime/replication/truncation.ts",
    find: "Math.min(own?.endOffset ?? leader.endOffset, leader.endOffset, local.endOffset)",
    replace: "Math.min(leader.endOffset, local.endOffset + (own ? 0 : 0))",
    plot: "two write apart",
  },
  {
    rule: "a follower does not cut to its high watermark",
    file: "runtime/replication/followed-partition.ts",
    find: "this.partition.truncate(Math.max(offset, 0));",
    replace: "this.partition.truncate(Math.min(offset, this.partition.highWatermark));",
    plot: "one is slower",
  },
  {
    rule: "a new leader writes where its epoch begins",
    file: partition,
    find: "if (role !== undefined && this.epochs.assign(this.#leaderEpoch, this.log.endOffset)) {",
    replace:
      "if (role === undefined && this.epochs.assign(this.#leaderEpoch, this.log.endOffset)) {",
    behind: {
      rule: "so does its first record",
      file: "runtime/log/batch-writer.ts",
      find: "if (this.#target.epochs.latest() === this.#target.leaderEpoch) return;",
      replace: "if (this.#target.epochs.latest() <= this.#target.leaderEpoch) return;",
    },
  },
  {
    rule: "an answer from an epoch that is over is dropped",
    file: "runtime/replication/fetcher.ts",
    find: "followed?.leaderEpoch !== item.leaderEpoch) continue;",
    replace: "followed === undefined) continue;",
    plot: "an answer of long ago",
    behind: {
      rule: "a request under way is broken off when an epoch begins",
      file: "runtime/replication/fetcher.ts",
      find: "} else if (this.#isFetching && !this.#wasInterrupted) {",
      replace: "} else if (this.#isFetching && !this.#wasInterrupted && this.size < 0) {",
    },
  },
  {
    rule: "a follower says that it has only what is synced",
    file: partition,
    find: 'return this.config.flush.mode === "group" ? Math.min(recoveryPoint, endOffset) : endOffset;',
    replace: "return Math.max(recoveryPoint, endOffset);",
  },
  {
    rule: "an acknowledgement waits for the disk",
    file: partition,
    find: "return flushes && options.waits ? this.#waits.until(appended) : appended;",
    replace: "return flushes && !options.waits ? this.#waits.until(appended) : appended;",
    brokers: 1,
  },
  {
    rule: "who did not stop cleanly leaves ISR and ELR",
    file: "cluster/decisions/brokers.ts",
    find: "...(wasClean ? {} : { lost: id })",
    replace: "...(wasClean || id > 0 ? {} : { lost: id })",
    plot: "one is left",
  },
  {
    rule: "who was fenced leaves the ISR",
    file: "cluster/decisions/brokers.ts",
    find: "? { isr: isr.filter((id) => !gone.has(id)) }",
    replace: "? { isr }",
  },
  {
    rule: "eligible leaders are those that left below min.insync.replicas",
    file: "cluster/decisions/partition-state.ts",
    find: "if (isr.length >= Math.min(minInsync, replicas.length)) return { ...record, elr: [] };",
    replace: "if (isr.length > replicas.length) return { ...record, elr: [] };",
  },
  {
    rule: "nobody leads who may lack records",
    file: "cluster/decisions/partition-state.ts",
    find: 'if (!context.isUncleanAllowed && election !== "unclean") return -1;',
    replace: "",
  },
  {
    rule: "every new leader gets a new epoch",
    file: "cluster/decisions/partition-state.ts",
    find: "leaderEpoch: now.leaderEpoch + (isNewTerm ? 1 : 0),",
    replace: "leaderEpoch: now.leaderEpoch + (isNewTerm && now.leader < 0 ? 1 : 0),",
  },
  {
    rule: "a leader that is not the newest changes no ISR",
    file: "cluster/decisions/isr-changes.ts",
    find: "if (now.partitionEpoch !== wish.partitionEpoch) {",
    replace: "if (now.partitionEpoch < 0) {",
    plot: "a leader of yesterday",
  },
  {
    rule: "a start checks what was not synced",
    file: "runtime/log/recovery.ts",
    find: "if (isTrusted && segment.open()) {",
    replace: "if ((isTrusted || segment.bytes > 0) && segment.open()) {",
    brokers: 1,
    plot: "torn after a clean stop",
  },
  {
    rule: "a fetch counts only in the leader's own epoch",
    file: leaderState,
    find: "follower === undefined || fetch.leaderEpoch !== this.leaderEpoch",
    replace: "follower === undefined || fetch.leaderEpoch < 0",
    also: {
      file: "runtime/local-replica-fetch.ts",
      find: "currentLeaderEpoch < 0 || currentLeaderEpoch === partition.leaderEpoch",
      replace: "currentLeaderEpoch < 0 || partition.leaderEpoch >= 0",
    },
    plot: "the same leader again",
  },
  {
    rule: "every new epoch is reconciled again, also of the same leader",
    file: replicas,
    find: "if (isSame && role.leaderEpoch === leaderEpoch) return;",
    replace: "if (isSame) return;",
  },
  {
    rule: "a cut takes the high watermark along",
    file: partition,
    find: "this.#highWatermark = Math.max(startOffset, Math.min(this.#highWatermark, endOffset));",
    replace:
      "this.#highWatermark = Math.max(startOffset, this.#highWatermark + (endOffset - endOffset));",
    behind: {
      rule: "a log is cut before its high watermark rises",
      file: "runtime/replication/followed-partition.ts",
      find: "    if (answer.diverging !== undefined) {",
      replace:
        "    if (answer.diverging) this.partition.raiseHighWatermark(Infinity);\n" +
        "    if (answer.diverging !== undefined) {",
    },
  },
  {
    rule: "a log whose sync failed takes nothing more",
    file: partition,
    find: "this.#host.fail(isKnown ?",
    replace: "if (what === '') this.#host.fail(isKnown ?",
    plot: "a sync that failed",
    brokers: 1,
  },
  {
    rule: "min.insync.replicas is looked at before an append",
    file: partition,
    find: 'options.acks !== "leader") this.#role.checkInSync();',
    replace: 'options.acks !== "leader" && !this.#role) return;',
    behind: {
      rule: "the high watermark stands still below it",
      file: leaderState,
      find: "if (this.inSyncCount < inSyncMin) return false;",
      replace: "if (inSyncMin < 0) return false;",
    },
  },
  {
    rule: "before it is registered, a restarted broker leads nothing",
    file: replicas,
    find: "const leads = record.leader === brokerId && this.#self !== undefined;",
    replace: "const leads = record.leader === brokerId;",
  },
  {
    rule: "who is fenced does not join",
    file: "cluster/decisions/isr-changes.ts",
    find: "if (broker.fenced) return",
    replace: "if (broker.fenced && epoch < 0) return",
    also: {
      file: replicas,
      find: "!broker.fenced && !broker.draining && broker.epoch === epoch",
      replace: "!broker.draining && broker.epoch === epoch",
    },
  },
  {
    rule: "only a certain refusal ends a wish for another ISR",
    file: "runtime/replication/isr-changes.ts",
    find: 'if (fault !== null && fault !== "stale-partition-epoch" && fault !== "fenced-leader-epoch") {',
    replace: "if (fault !== null) {",
    plot: "the answer is lost",
    behind: {
      rule: "an answer counts when its change is in the asker's view",
      file: "cluster/change-asker.ts",
      find: "await view.until(() => view.image.version >= version, restMs);",
      replace: "await view.until(() => view.image.version >= -version, restMs);",
    },
  },
  {
    rule: "a copy starts with the high watermark that was written down, not with its end",
    file: "runtime/log/log-folder.ts",
    find: "const highWatermark = request.isReplicated ? checkpoint.highWatermark : undefined;",
    replace: "const highWatermark = request.isReplicated && folder === '' ? 0 : undefined;",
  },
  {
    rule: "latest offsets are unknown until the high watermark reaches the epoch's start",
    file: leaderState,
    find: "return this.#highWatermark >= this.startOffset;",
    replace: "return this.#highWatermark >= 0;",
  },
  {
    rule: "readers of what is committed stop where a transaction is open",
    file: partition,
    find: "    const endOffset = this.lastStableOffset;\n    const records",
    replace: "    const endOffset = this.#highWatermark;\n    const records",
  },
];
