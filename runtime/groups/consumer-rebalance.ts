// What follows when a member of a group of the consumer protocol says something new, leaves, or falls silent: a new
// group epoch, a new target assignment, one step of the member towards it. Each change is computed whole, persisted,
// and only then in force. `consumer-group.ts` and `mixed-group.ts` hear the requests.

import { BrokerError } from "../errors.ts";
import type { AssignedMember } from "./assignor.ts";
import type { ConsumerRecord } from "./consumer-group-records.ts";
import { ConsumerGroupState } from "./consumer-group-state.ts";
import {
  type ConsumerMember,
  currentRecord,
  memberRecord,
  memberTombstones,
  sameCurrent,
  sameDetails,
  sameSubscription,
  targetRecord,
} from "./consumer-member.ts";
import { assignors, chooseAssignor } from "./consumer-settings.ts";
import { noPartitions, type PartitionSet, sameSet } from "./partition-set.ts";
import { memberStates, reconcile } from "./reconciliation.ts";
import type { ResolvedTopics } from "./subscriptions.ts";

/** A member as it says it is, before it is told anything. */
interface Step {
  readonly member: ConsumerMember;
  /** Undefined: it is new. Under another id: a static member that came back. */
  readonly before: ConsumerMember | undefined;
  /** What it says it holds; null: it did not say. */
  readonly owned: PartitionSet | null;
}

/** What one request changes, computed whole before anything is persisted or put in force. */
interface Change {
  readonly records: ConsumerRecord[];
  groupEpoch: number;
  /** Undefined: the target stays. */
  target: ReadonlyMap<string, PartitionSet> | undefined;
  /** Undefined: what expressions match stays. */
  resolved: ResolvedTopics | undefined;
}

type Members = ReadonlyMap<string, ConsumerMember>;

export class ConsumerRebalance extends ConsumerGroupState {
  /** Topics changed: the next request looks whether that concerns the group. */
  #isStale = true;

  /** The cluster's topics changed. */
  topicsChanged(): void {
    this.#isStale = true;
  }

  /** Takes over members, all stable at this epoch with what they hold. Already written, or about to be. */
  adopt({ epoch, members }: { epoch: number; members: readonly ConsumerMember[] }): void {
    this.groupEpoch = epoch;
    this.assignmentEpoch = epoch;
    this.target = new Map(members.map(({ memberId, current }) => [memberId, current.assigned]));
    for (const member of members) this.put(member);
  }

  /** After loading, or taken over: members have their whole session to be heard of. */
  resume(): void {
    this.#isStale = true;
    for (const member of this.members.values()) this.setTimers(member);
  }

  /** Takes in what a member says, and moves it on. */
  protected step({ member, before, owned }: Step): {
    readonly after: ConsumerMember;
    readonly durable: Promise<unknown> | undefined;
  } {
    const change = this.#changeFor(member, before);
    const current = reconcile(member.current, {
      targetEpoch: change.target ? change.groupEpoch : this.assignmentEpoch,
      target: (change.target ?? this.target).get(member.memberId) ?? noPartitions,
      owned,
      isHeld: (topicId, partition) => this.isHeldByOthers(topicId, partition, member.memberId),
    });
    const after = { ...member, current };
    if (before === undefined || !sameCurrent(before.current, current)) {
      change.records.push(currentRecord(this.groupId, after));
    }
    const durable = change.records.length > 0 ? this.host.persist(change.records) : undefined;
    this.#apply(change, after);
    return { after, durable };
  }

  protected requireRoom(): void {
    if (this.members.size < this.host.settings().membersMax) return;
    throw new BrokerError("GROUP_MAX_SIZE_REACHED", `group '${this.groupId}' is full`);
  }

  // ---- a change ----

  #changeFor(member: ConsumerMember, before: ConsumerMember | undefined): Change {
    const { groupId, groupEpoch } = this;
    const change: Change = { records: [], groupEpoch, target: undefined, resolved: undefined };
    const isSame =
      before?.memberId === member.memberId && sameDetails(before.details, member.details);
    if (!isSame) this.#noteMember(change, member, before);
    if (isSame && !this.#isStale && groupEpoch === this.assignmentEpoch) return change;
    const members = this.#withMember(member, before);
    const { resolved, records } = this.subscriptions.resolve(members.values(), {
      groupId,
      nowMs: this.host.clock.nowMs(),
    });
    change.records.push(...records);
    change.resolved = resolved;
    const isNew = before === undefined || !sameSubscription(before.details, member.details);
    const hasNewAssignor = before?.details.serverAssignor !== member.details.serverAssignor;
    if (isNew || hasNewAssignor || this.#needsOtherTarget(members, resolved)) {
      change.groupEpoch++;
      const epoch = change.groupEpoch;
      change.records.push({ kind: "consumer-group", groupId, value: { epoch } });
    }
    if (change.groupEpoch > this.assignmentEpoch) {
      // A static member that came back under another id is the one it was.
      const oldTarget = this.target.get(before?.memberId ?? member.memberId);
      this.#assign(change, members, { memberId: member.memberId, target: oldTarget });
    } else if (before !== undefined && before.memberId !== member.memberId) {
      change.target = this.#renamed(before.memberId, member.memberId);
    }
    return change;
  }

  #noteMember(change: Change, member: ConsumerMember, before: ConsumerMember | undefined): void {
    const { groupId } = this;
    if (before !== undefined && before.memberId !== member.memberId) {
      const target = this.target.get(before.memberId) ?? noPartitions;
      change.records.push(...memberTombstones(groupId, before.memberId));
      change.records.push(targetRecord(groupId, member.memberId, target));
    }
    change.records.push(memberRecord(groupId, member));
  }

  /** Computes the target assignment of the change's epoch. */
  #assign(
    change: Change,
    members: Members,
    caller: { readonly memberId: string; readonly target: PartitionSet | undefined },
  ): void {
    const { groupId } = this;
    const partitionsOf = new Map<string, number>();
    const asked: AssignedMember[] = [];
    for (const { memberId, details } of members.values()) {
      const topicIds = new Set<string>();
      for (const [topicId, count] of this.subscriptions.topics(details, change.resolved!)) {
        topicIds.add(topicId);
        partitionsOf.set(topicId, count);
      }
      const old = memberId === caller.memberId ? caller.target : this.target.get(memberId);
      const target = old ?? noPartitions;
      asked.push({ memberId, instanceId: details.instanceId, topicIds, target });
    }
    const details = Array.from(members.values(), (each) => each.details);
    const name = chooseAssignor(details, this.host.settings().assignors);
    const target = assignors[name]!(asked, partitionsOf);
    for (const [memberId, partitions] of target) {
      const old = this.target.get(memberId);
      if (old && sameSet(old, partitions)) continue;
      change.records.push(targetRecord(groupId, memberId, partitions));
    }
    const assignmentEpoch = change.groupEpoch;
    change.records.push({ kind: "consumer-target", groupId, value: { assignmentEpoch } });
    change.target = target;
  }

  #renamed(from: string, to: string): ReadonlyMap<string, PartitionSet> {
    const target = new Map(this.target);
    target.set(to, target.get(from) ?? noPartitions);
    target.delete(from);
    return target;
  }

  #apply(change: Change, member: ConsumerMember): void {
    if (change.groupEpoch !== this.groupEpoch) this.host.rebalanced();
    this.groupEpoch = change.groupEpoch;
    if (change.target) {
      this.target = change.target;
      this.assignmentEpoch = change.groupEpoch;
    }
    if (change.resolved) {
      this.subscriptions.take(change.resolved);
      this.#isStale = false;
    }
    const { instanceId } = member.details;
    const oldId = instanceId === null ? undefined : this.static.get(instanceId);
    if (oldId !== undefined && oldId !== member.memberId) this.drop(oldId);
    this.put(member);
  }

  /** Topics changed, and no new target is due anyway. */
  #needsOtherTarget(members: Members, resolved: ResolvedTopics): boolean {
    if (!this.#isStale || this.groupEpoch !== this.assignmentEpoch) return false;
    return this.#topicsMoved(members, resolved);
  }

  /** Whether a target has other partitions than the members now read. */
  #topicsMoved(members: Members, resolved: ResolvedTopics): boolean {
    const wanted = new Map<string, number>();
    for (const { details } of members.values()) {
      for (const [topicId, count] of this.subscriptions.topics(details, resolved)) {
        wanted.set(topicId, count);
      }
    }
    const had = new Map<string, number>();
    for (const target of this.target.values()) {
      for (const [topicId, { size }] of target) had.set(topicId, (had.get(topicId) ?? 0) + size);
    }
    return wanted.size !== had.size || [...wanted].some(([id, count]) => had.get(id) !== count);
  }

  #withMember(member: ConsumerMember, before: ConsumerMember | undefined): Members {
    const members = new Map(this.members);
    if (before) members.delete(before.memberId);
    return members.set(member.memberId, member);
  }

  // ---- members that go ----

  /** The members are out, all at once. Where only classic ones stay, the group becomes one of theirs. */
  protected remove(members: readonly ConsumerMember[]): Promise<unknown> | undefined {
    const [first] = members;
    if (first === undefined) return undefined;
    if (members.length === 1 && this.#becomesClassicWithout(first)) {
      return this.host.downgrade(first.memberId);
    }
    const { groupId } = this;
    const epoch = this.groupEpoch + 1;
    const gone = members.flatMap(({ memberId }) => memberTombstones(groupId, memberId));
    const durable = this.host.persist([
      ...gone,
      { kind: "consumer-group", groupId, value: { epoch } },
    ]);
    this.groupEpoch = epoch;
    this.host.rebalanced();
    const target = new Map(this.target);
    for (const { memberId } of members) {
      this.drop(memberId);
      target.delete(memberId);
    }
    this.target = target;
    if (this.members.size === 0) this.stateSinceMs = this.host.clock.nowMs();
    return durable;
  }

  #becomesClassicWithout(gone: ConsumerMember): boolean {
    if (gone.details.classic !== null || this.members.size < 2) return false;
    for (const member of this.members.values()) {
      if (member !== gone && member.details.classic === null) return false;
    }
    return this.host.mayDowngrade(this.members.size - 1);
  }

  /** Silent for its session, or it kept for too long what goes to others. */
  #expel(memberId: string): void {
    const member = this.members.get(memberId);
    if (member === undefined) return;
    try {
      this.remove([member])?.catch((error: unknown) => this.host.failed(error));
    } catch (error) {
      this.host.failed(error);
    }
  }

  // ---- timers ----

  protected setTimers(member: ConsumerMember): void {
    this.renewSession(member);
    if (member.current.state === memberStates.unrevoked) this.awaitMember(member);
    else this.endAwait(member);
  }

  protected renewSession(member: ConsumerMember): void {
    const timers = this.#timersOf(member);
    timers.session?.cancel();
    const { sessionTimeoutMs } = member.details.classic ?? this.host.settings();
    const expel = () => this.#expel(member.memberId);
    timers.session = this.host.clock.after(sessionTimeoutMs, expel);
  }

  /** Puts the member out unless it does what is asked of it in its rebalance timeout. A wait goes on as it began. */
  protected awaitMember(member: ConsumerMember): void {
    const timers = this.#timersOf(member);
    if (timers.rebalance !== null) return;
    const patienceMs = Math.max(0, member.details.rebalanceTimeoutMs);
    timers.rebalance = this.host.clock.after(patienceMs, () => this.#expel(member.memberId));
  }

  protected endAwait({ memberId }: ConsumerMember): void {
    const timers = this.timers.get(memberId);
    if (timers === undefined) return;
    timers.rebalance?.cancel();
    timers.rebalance = null;
  }

  #timersOf({ memberId }: ConsumerMember) {
    const timers = this.timers.get(memberId) ?? { session: null, rebalance: null };
    this.timers.set(memberId, timers);
    return timers;
  }
}
