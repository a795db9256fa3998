// ConsumerGroup: one group of the consumer protocol (KIP-848). The coordinator assigns; members only report, say
// what they hold, and are told what to hold. Every change of members, subscriptions or topics makes a new group
// epoch, for which a target assignment is computed; members walk to it one by one, so that only moved partitions
// stop. Called by `coordinator.ts` only, which finds the group and persists what it asks to.

import type { ConsumerHeartbeat, ConsumerHeartbeatAnswer } from "../group-coordinator.ts";
import { fencedInstance, unknownMember } from "./classic-members.ts";
import { checkHeartbeat, requireEpoch, requireReleased } from "./consumer-checks.ts";
import {
  awayEpoch,
  type ConsumerMember,
  currentRecord,
  type MemberDetails,
  newcomer,
} from "./consumer-member.ts";
import { MixedGroup } from "./mixed-group.ts";
import { noPartitions, partitionList, partitionSet, sameSet } from "./partition-set.ts";
import { memberStates } from "./reconciliation.ts";

export class ConsumerGroup extends MixedGroup {
  /** One request of a member: it joins, lives, or leaves. Rejects with what the member is to be told. */
  async heartbeat(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    checkHeartbeat(request, this.host.settings().assignors);
    if (request.memberEpoch < 0) return this.#leave(request);
    const before = this.#find(request);
    const member = this.#updated(request, before);
    const owned = request.owned && partitionSet(request.owned);
    const { after, durable } = this.step({ member, before, owned });
    this.setTimers(after);
    await durable;
    const { memberEpoch, assigned } = after.current;
    const isFull = request.memberEpoch === 0 || isFullRequest(request);
    const isChanged = !before || !sameSet(before.current.assigned, assigned);
    return {
      memberId: after.memberId,
      memberEpoch,
      heartbeatIntervalMs: this.host.settings().heartbeatIntervalMs,
      assignment: isFull || isChanged ? partitionList(assigned) : null,
    };
  }

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
        if (found.memberId !== memberId) throw fencedInstance(instanceId, memberId);
        requireEpoch(found.current, request);
      }
      if (found === undefined) this.requireRoom();
      return found;
    }
    const found = this.members.get(memberId);
    if (found === undefined && !joins) throw unknownMember(memberId);
    if (found === undefined) this.requireRoom();
    else if (!joins) requireEpoch(found.current, request);
    return found;
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

  // ---- leaving ----

  async #leave(request: ConsumerHeartbeat): Promise<ConsumerHeartbeatAnswer> {
    const { instanceId, memberEpoch, memberId } = request;
    const id = instanceId === null ? memberId : this.static.get(instanceId);
    const member = id === undefined ? undefined : this.members.get(id);
    if (member === undefined) throw unknownMember(memberId);
    if (instanceId !== null && member.memberId !== memberId) {
      throw fencedInstance(instanceId, memberId);
    }
    const isAway = memberEpoch === awayEpoch;
    await (isAway ? this.#goAway(member) : this.remove([member]));
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
}

/** A member that tells everything wants to hear everything. */
function isFullRequest(request: ConsumerHeartbeat): boolean {
  return (
    request.rebalanceTimeoutMs >= 0 &&
    (request.topicNames !== null || request.topicRegex !== null) &&
    request.owned !== null
  );
}
