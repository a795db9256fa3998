// ConsumerGroup: one group of the consumer protocol (KIP-848). The coordinator assigns; members only report, say
// what they hold, and are told what to hold. Every change of members, subscriptions or topics makes a new group
// epoch, for which a target assignment is computed; members walk to it one by one, so that only moved partitions
// stop. Called by `coordinator.ts` only, which finds the group and persists what it asks to.

import { BrokerError } from "../errors.ts";
import type { ConsumerHeartbeat, ConsumerHeartbeatAnswer } from "../group-coordinator.ts";
import type { AssignedMember } from "./assignor.ts";
import { unknownMember } from "./classic-members.ts";
import { checkHeartbeat, requireEpoch, requireReleased } from "./consumer-checks.ts";
import type { ConsumerRecord } from "./consumer-group-records.ts";
import { ConsumerGroupState } from "./consumer-group-state.ts";
import {
  awayEpoch,
  type ConsumerMember,
  currentRecord,
  type MemberDetails,
  memberRecord,
  memberTombstones,
  newcomer,
  sameCurrent,
  sameDetails,
  sameSubscription,
  targetRecord,
} from "./consumer-member.ts";
import { assignors, chooseAssignor } from "./consumer-settings.ts";
import {
  noPartitions,
  type PartitionSet,
  partitionList,
  partitionSet,
  sameSet,
} from "./partition-set.ts";
import { memberStates, reconcile } from "./reconciliation.ts";

/** What one request changes, computed whole before anything is persisted or put in force. */
interface Change {
  readonly records: ConsumerRecord[];
  groupEpoch: number;
  /** Undefined: the target stays. */
  target: ReadonlyMap<string, PartitionSet> | undefined;
}

export class ConsumerGroup extends ConsumerGroupState {
  /** Topics changed: the next request looks whether that concerns the group. */
  #isStale = true;

  /** One request of a member: it joins, lives, or leaves. Rejects with what the member is to be told. */
  async heartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    checkHeartbeat(request, this.host.settings().assignors);
    if (request.memberEpoch < 0) return this.#leave(request);
    const before = this.#find(request);
    const member = this.#updated(request, before);
    const change = this.#changeFor(member, before);
    const target = (change.target ?? this.target).get(member.memberId) ?? noPartitions;
    const current = reconcile(member.current, {
      targetEpoch: change.target ? change.groupEpoch : this.assignmentEpoch,
      target,
      owned: request.owned && partitionSet(request.owned),
      isHeld: (topicId, partition) => this.isHeldByOthers(topicId, partition, member.memberId),
    });
    const after = { ...member, current };
    if (before === undefined || !sameCurrent(before.current, current)) {
      change.records.push(currentRecord(this.groupId, after));
    }
    const durable = change.records.length > 0 ? this.host.persist(change.records) : undefined;
    this.#apply(change, after);
    this.#setTimers(after);
    await durable;
    const isFull = request.memberEpoch === 0 || isFullRequest(request);
    const isChanged = !before || !sameSet(before.current.assigned, current.assigned);
    return {
      memberId: after.memberId,
      memberEpoch: current.memberEpoch,
      heartbeatIntervalMs: this.host.settings().heartbeatIntervalMs,
      assignment: isFull || isChanged ? partitionList(current.assigned) : null,
    };
  }

  /** The cluster's topics changed. */
  topicsChanged(): void {
    this.#isStale = true;
    this.subscriptions.topicsChanged();
  }

  /** After loading: members have their whole session to be heard of. */
  resume(): void {
    this.#isStale = true;
    for (const member of this.members.values()) this.#setTimers(member);
  }

  // ---- a request, step by step ----

  /** The member as it is; undefined: it is new. */
  #find(request: ConsumerHeartbeat): ConsumerMember | undefined {
    const { memberId, memberEpoch, instanceId } = request;
    const joins = memberEpoch === 0;
    if (instanceId !== null) {
      const id = this.static.get(instanceId);
      const found = id === undefined ? undefined : this.members.get(id);
      if (joins && found) requireReleased(found, memberId);
      if (!joins) {
        if (found === undefined) throw unknownMember(memberId);
        if (found.memberId !== memberId) {
          const message = `another member now is instance '${instanceId}'`;
          throw new BrokerError("FENCED_INSTANCE_ID", message);
        }
        requireEpoch(found.current, request);
      }
      if (found === undefined) this.#requireRoom();
      return found;
    }
    const found = this.members.get(memberId);
    if (found === undefined && !joins) throw unknownMember(memberId);
    if (found === undefined) this.#requireRoom();
    else if (!joins) requireEpoch(found.current, request);
    return found;
  }

  #requireRoom(): void {
    if (this.members.size < this.host.settings().membersMax) return;
    throw new BrokerError("GROUP_MAX_SIZE_REACHED", `group '${this.groupId}' is full`);
  }

  #updated(request: ConsumerHeartbeat, before: ConsumerMember | undefined): ConsumerMember {
    const old = before?.details;
    const topicRegex =
      request.topicRegex === null ? (old?.topicRegex ?? null) : request.topicRegex || null;
    if (topicRegex !== null && topicRegex !== old?.topicRegex) {
      this.subscriptions.checkRegex(topicRegex);
    }
    const details: MemberDetails = {
      instanceId: request.instanceId ?? old?.instanceId ?? null,
      rackId: request.rackId ?? old?.rackId ?? null,
      clientId: request.clientId,
      clientHost: request.clientHost,
      topicNames: request.topicNames ?? old?.topicNames ?? [],
      topicRegex,
      rebalanceTimeoutMs:
        request.rebalanceTimeoutMs >= 0
          ? request.rebalanceTimeoutMs
          : (old?.rebalanceTimeoutMs ?? -1),
      serverAssignor: request.serverAssignor ?? old?.serverAssignor ?? null,
      classic: null,
    };
    // Who joins anew, or comes back, holds nothing and takes all of its target at once.
    const isBack = before && request.memberEpoch === 0;
    const current = before === undefined ? newcomer : before.current;
    return {
      memberId: request.memberId,
      details,
      current: isBack ? { ...current, memberEpoch: 0, previousMemberEpoch: 0 } : current,
    };
  }

  #changeFor(member: ConsumerMember, before: ConsumerMember | undefined): Change {
    const { groupId, groupEpoch } = this;
    const change: Change = { records: [], groupEpoch, target: undefined };
    const { records } = change;
    const isReplaced = before !== undefined && before.memberId !== member.memberId;
    if (isReplaced) {
      records.push(...memberTombstones(groupId, before.memberId));
      const target = this.target.get(before.memberId) ?? noPartitions;
      records.push(targetRecord(groupId, member.memberId, target));
    }
    if (isReplaced || !before || !sameDetails(before.details, member.details)) {
      records.push(memberRecord(groupId, member));
    }
    const members = this.#withMember(member, before);
    const isNew = before === undefined || !sameSubscription(before.details, member.details);
    const hasNewAssignor = before?.details.serverAssignor !== member.details.serverAssignor;
    if (isNew || hasNewAssignor || this.#needsOtherTarget(members)) {
      change.groupEpoch++;
      records.push({ kind: "consumer-group", groupId, value: { epoch: change.groupEpoch } });
    }
    this.#isStale = false;
    if (change.groupEpoch > this.assignmentEpoch) {
      // A static member that came back under another id is the one it was.
      const oldTarget = this.target.get(before?.memberId ?? member.memberId);
      this.#assign(change, members, { memberId: member.memberId, target: oldTarget });
    }
    if (change.target === undefined && isReplaced)
      change.target = this.#renamed(before.memberId, member.memberId);
    return change;
  }

  /** Computes the target assignment of the change's epoch. */
  #assign(
    change: Change,
    members: ReadonlyMap<string, ConsumerMember>,
    caller: { readonly memberId: string; readonly target: PartitionSet | undefined },
  ): void {
    const { groupId } = this;
    const partitionsOf = new Map<string, number>();
    const asked: AssignedMember[] = [];
    for (const { memberId, details } of members.values()) {
      const topicIds = new Set<string>();
      for (const [topicId, count] of this.subscriptions.topics(details)) {
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
    const { instanceId } = member.details;
    const oldId = instanceId === null ? undefined : this.static.get(instanceId);
    if (oldId !== undefined && oldId !== member.memberId) this.drop(oldId);
    this.put(member);
  }

  /** Topics changed, and no new target is due anyway. */
  #needsOtherTarget(members: ReadonlyMap<string, ConsumerMember>): boolean {
    return this.#isStale && this.groupEpoch === this.assignmentEpoch && this.#topicsMoved(members);
  }

  /** Whether a target has other partitions than the members now read. */
  #topicsMoved(members: ReadonlyMap<string, ConsumerMember>): boolean {
    const wanted = new Map<string, number>();
    for (const { details } of members.values()) {
      for (const [topicId, count] of this.subscriptions.topics(details)) wanted.set(topicId, count);
    }
    const had = new Map<string, number>();
    for (const target of this.target.values()) {
      for (const [topicId, { size }] of target) had.set(topicId, (had.get(topicId) ?? 0) + size);
    }
    return wanted.size !== had.size || [...wanted].some(([id, count]) => had.get(id) !== count);
  }

  #withMember(
    member: ConsumerMember,
    before: ConsumerMember | undefined,
  ): ReadonlyMap<string, ConsumerMember> {
    const members = new Map(this.members);
    if (before) members.delete(before.memberId);
    return members.set(member.memberId, member);
  }

  // ---- leaving ----

  async #leave(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    const { instanceId, memberEpoch, memberId } = request;
    const id = instanceId === null ? memberId : this.static.get(instanceId);
    const member = id === undefined ? undefined : this.members.get(id);
    if (member === undefined) throw unknownMember(memberId);
    if (instanceId !== null && member.memberId !== memberId) {
      throw new BrokerError("FENCED_INSTANCE_ID", `another member now is '${instanceId}'`);
    }
    const durable = memberEpoch === awayEpoch ? this.#goAway(member) : this.#remove(member);
    await durable;
    return { memberId, memberEpoch, heartbeatIntervalMs: 0, assignment: null };
  }

  /** A static member that is expected back: its partitions wait for it until its session ends. */
  #goAway(member: ConsumerMember): Promise<unknown> | undefined {
    const current = {
      ...member.current,
      memberEpoch: awayEpoch,
      state: memberStates.stable,
      pendingRevocation: noPartitions,
    };
    const away = { ...member, current };
    const durable = this.host.persist([currentRecord(this.groupId, away)]);
    this.put(away);
    return durable;
  }

  #remove(member: ConsumerMember): Promise<unknown> | undefined {
    const { groupId } = this;
    const epoch = this.groupEpoch + 1;
    const records = memberTombstones(groupId, member.memberId);
    const durable = this.host.persist([
      ...records,
      { kind: "consumer-group", groupId, value: { epoch } },
    ]);
    this.groupEpoch = epoch;
    this.host.rebalanced();
    this.drop(member.memberId);
    const target = new Map(this.target);
    target.delete(member.memberId);
    this.target = target;
    if (this.members.size === 0) this.stateSinceMs = this.host.clock.nowMs();
    return durable;
  }

  // ---- timers ----

  #setTimers(member: ConsumerMember): void {
    const { clock } = this.host;
    const timers = this.timers.get(member.memberId) ?? { session: null, rebalance: null };
    this.timers.set(member.memberId, timers);
    timers.session?.cancel();
    const { sessionTimeoutMs } = this.host.settings();
    timers.session = clock.after(sessionTimeoutMs, () => this.#expel(member.memberId));
    if (member.current.state !== memberStates.unrevoked) {
      timers.rebalance?.cancel();
      timers.rebalance = null;
      return;
    }
    if (timers.rebalance !== null) return;
    const patienceMs = Math.max(0, member.details.rebalanceTimeoutMs);
    timers.rebalance = clock.after(patienceMs, () => this.#expel(member.memberId));
  }

  /** Silent for its session, or it kept for too long what goes to others. */
  #expel(memberId: string): void {
    const member = this.members.get(memberId);
    if (member === undefined) return;
    try {
      this.#remove(member)?.catch((error: unknown) => this.host.failed(error));
    } catch (error) {
      this.host.failed(error);
    }
  }
}

/** A member that tells everything wants to hear everything. */
function isFullRequest(request: ConsumerHeartbeat): boolean {
  return (
    request.rebalanceTimeoutMs >= 0 &&
    (request.topicNames !== null || request.topicRegex !== null) &&
    request.owned !== null
  );
}
