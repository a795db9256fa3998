// ClassicGroup: one group of the classic protocol. Members join, the group waits until all have (or time is up),
// one of them, the leader, assigns partitions, and everybody fetches its part with SyncGroup. A state machine on
// an injected clock: Empty → PreparingRebalance → CompletingRebalance → Stable, and back with every change.
// Called by `coordinator.ts` only, which finds the group and persists what it asks to.

import { consumerProtocolType } from "../consumer-protocol.ts";
import { BrokerError } from "../errors.ts";
import type {
  JoinAnswer,
  JoinRequest,
  LeavingMember,
  MemberRequest,
  SyncAnswer,
  SyncRequest,
} from "../group-coordinator.ts";
import { type CommitTerms, illegalGeneration, noBytes } from "./classic-group-state.ts";
import {
  type ClassicMember,
  failedJoin,
  rebalanceInProgress,
  sameProtocols,
  unknownMember,
  type Waiting,
} from "./classic-members.ts";
import { ClassicRebalance, newMemberJoinMsMax } from "./classic-rebalance.ts";

/** Ids given out to members that then never join. */
const pendingMembersMax = 10_000;

export type AdoptedMember = Omit<
  ClassicMember,
  "awaitingJoin" | "awaitingSync" | "isNew" | "session"
>;

export class ClassicGroup extends ClassicRebalance {
  /** No member, none on its way. */
  get isVacant(): boolean {
    return this.state === "Empty" && this.pending.size === 0;
  }

  /** Takes over members, all in one generation and in force; they are asked to join again. */
  adopt({ generation, members }: { generation: number; members: readonly AdoptedMember[] }): void {
    this.generation = generation;
    this.protocolType = consumerProtocolType;
    for (const member of members) {
      const waits = { awaitingJoin: null, awaitingSync: null, isNew: false, session: null };
      this.members.add({ ...member, ...waits });
    }
    this.protocolName = this.members.chooseProtocol();
    this.moveTo("Stable");
    this.noteSubscriptions();
  }

  /** A rebalance that no member asked for. */
  rebalance(): void {
    this.prepareRebalance();
  }

  /** After loading: members have their whole session to be heard of. */
  resume(): void {
    for (const member of this.members.all()) this.renewSession(member);
  }

  /** The group is no more: who waits is told `error`. */
  close(error: BrokerError): void {
    this.moveTo("Dead");
    this.joinTimer?.cancel();
    this.syncTimer?.cancel();
    for (const timer of this.pending.values()) timer.cancel();
    for (const member of [...this.members.all()]) this.expel(member, error);
  }

  // ---- joining ----

  join(request: JoinRequest): Promise<JoinAnswer> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      try {
        this.#admit(request);
        if (request.memberId === "") this.#joinNew(request, waiting);
        else this.#joinKnown(request, waiting);
      } catch (error) {
        if (!(error instanceof BrokerError)) reject(error);
        else resolve(failedJoin(request.memberId, error));
      }
    });
  }

  #admit(request: JoinRequest): void {
    this.requireAlive();
    if (!this.#hasRoom(request.memberId)) {
      this.#dropPending(request.memberId);
      throw new BrokerError("GROUP_MAX_SIZE_REACHED", `group '${this.groupId}' is full`);
    }
    const { protocolType, protocols } = request;
    const fits =
      this.state === "Empty" || this.members.size === 0
        ? protocolType !== "" && protocols.length > 0
        : this.protocolType === protocolType && this.members.canSpeak(protocols);
    if (fits) return;
    throw new BrokerError(
      "INCONSISTENT_GROUP_PROTOCOL",
      `the members of group '${this.groupId}' share no protocol with the new one`,
    );
  }

  /** While a rebalance waits, those who came again count: the last ones of a shrunken limit stay out. */
  #hasRoom(memberId: string): boolean {
    const { membersMax } = this.host.limits();
    if (this.state === "Empty") return true;
    if (this.state !== "PreparingRebalance") {
      return this.members.has(memberId) || this.members.size < membersMax;
    }
    const isWaiting = this.members.get(memberId)?.awaitingJoin != null;
    return isWaiting || this.members.awaitingJoin < membersMax;
  }

  #joinNew(request: JoinRequest, waiting: Waiting<JoinAnswer>): void {
    const { groupInstanceId } = request;
    const memberId = `${groupInstanceId ?? request.clientId}-${this.host.newId()}`;
    const before = groupInstanceId === null ? undefined : this.members.ofInstance(groupInstanceId);
    if (before !== undefined) {
      this.#rejoinStatic(this.members.get(before)!, memberId, request, waiting);
    } else if (groupInstanceId === null && request.needsMemberId) {
      this.#giveId(memberId, request.sessionTimeoutMs);
      const error = new BrokerError("MEMBER_ID_REQUIRED", "join again with the member id given");
      waiting.resolve(failedJoin(memberId, error));
    } else this.#add(memberId, request, waiting);
  }

  #giveId(memberId: string, sessionTimeoutMs: number): void {
    if (this.pending.size >= pendingMembersMax) {
      throw new BrokerError("GROUP_MAX_SIZE_REACHED", "too many members are about to join");
    }
    const expire = () => {
      this.#dropPending(memberId);
      this.completeJoinIfAllHere();
    };
    this.pending.set(memberId, this.host.clock.after(sessionTimeoutMs, expire));
  }

  #dropPending(memberId: string): boolean {
    this.pending.get(memberId)?.cancel();
    return this.pending.delete(memberId);
  }

  #joinKnown(request: JoinRequest, waiting: Waiting<JoinAnswer>): void {
    const { memberId, groupInstanceId } = request;
    if (this.pending.has(memberId) && groupInstanceId === null) {
      this.#add(memberId, request, waiting);
      return;
    }
    const member = this.members.require(memberId, groupInstanceId);
    const isSame = sameProtocols(member.protocols, request.protocols);
    // It may not have heard the first answer: it gets it again.
    if (this.state === "CompletingRebalance" && isSame) waiting.resolve(this.joined(member));
    else if (this.state === "Stable" && isSame && this.members.leaderId !== memberId) {
      waiting.resolve(this.joined(member));
    } else if (this.state === "Empty") throw unknownMember(memberId);
    else {
      this.#update(member, request, waiting);
      this.rebalanceOrComplete();
    }
  }

  #add(memberId: string, request: JoinRequest, waiting: Waiting<JoinAnswer>): void {
    this.#dropPending(memberId);
    if (this.members.size === 0) this.protocolType = request.protocolType;
    const member: ClassicMember = {
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: request.protocols,
      assignment: noBytes,
      awaitingJoin: waiting,
      awaitingSync: null,
      isNew: true,
      session: null,
    };
    if (this.state === "PreparingRebalance" && this.isInitialRebalance) this.hasNewcomer = true;
    this.members.add(member);
    // It has no id to send heartbeats with: one that went away while waiting is found by this.
    this.setSession(member, newMemberJoinMsMax);
    this.rebalanceOrComplete();
  }

  #update(member: ClassicMember, request: JoinRequest, waiting: Waiting<JoinAnswer>): void {
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    this.members.setProtocols(member, request.protocols);
    this.members.awaitJoin(member, waiting);
  }

  #rejoinStatic(
    old: ClassicMember,
    memberId: string,
    request: JoinRequest,
    waiting: Waiting<JoinAnswer>,
  ): void {
    const leaderBefore = this.members.leaderId ?? "";
    this.pendingSync.delete(old.memberId);
    const member = this.members.replaceStatic(old, memberId);
    this.#update(member, request, waiting);
    this.renewSession(member);
    const keepsProtocol = this.members.chooseProtocol() === this.protocolName;
    if (this.state !== "Stable" || !keepsProtocol) {
      this.rebalanceOrComplete();
      return;
    }
    // Nothing changes for the group: the member gets its old assignment, without a rebalance.
    const isLeader = this.members.leaderId === memberId;
    const answer = request.canSkipAssignment
      ? { ...this.joined(member), skipAssignment: isLeader }
      : // An old client must not take itself for the leader: nobody would hear its new assignment.
        { ...this.joined(member), leader: leaderBefore, members: [] };
    const answerJoin = () => this.members.answerJoin(member, answer);
    this.persisted(this.host.persist(this), answerJoin, (error) =>
      this.members.answerJoin(member, failedJoin(memberId, error)),
    );
  }

  // ---- the rest of a member's life ----

  sync(request: SyncRequest): Promise<SyncAnswer> {
    const member = this.requireCurrent(request);
    const { protocolType, protocolName } = request;
    if (
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocolName !== null && protocolName !== this.protocolName)
    ) {
      throw new BrokerError("INCONSISTENT_GROUP_PROTOCOL", "the group speaks another protocol");
    }
    if (this.state === "Empty") throw unknownMember(request.memberId);
    if (this.state === "PreparingRebalance") throw rebalanceInProgress();
    this.pendingSync.delete(member.memberId);
    if (this.state === "Stable") {
      this.renewSession(member);
      return Promise.resolve(this.synced(member));
    }
    return new Promise((resolve, reject) => {
      member.awaitingSync?.reject(rebalanceInProgress());
      member.awaitingSync = { resolve, reject };
      if (this.members.leaderId === member.memberId) this.#assign(request);
    });
  }

  /** The leader's word: in force once it is persisted, unless the group has moved on meanwhile. */
  #assign(request: SyncRequest): void {
    const given = new Map(request.assignments.map((each) => [each.memberId, each.assignment]));
    const { generation } = this;
    const isCurrent = () => this.state === "CompletingRebalance" && generation === this.generation;
    const takeForce = () => {
      if (!isCurrent()) return;
      this.moveTo("Stable");
      for (const member of this.members.all()) {
        member.assignment = given.get(member.memberId) ?? noBytes;
        if (member.awaitingSync === null) continue;
        member.awaitingSync.resolve(this.synced(member));
        member.awaitingSync = null;
        this.renewSession(member);
      }
    };
    this.persisted(this.host.persist(this, given), takeForce, (error) => {
      if (!isCurrent()) return;
      this.failSyncs(error);
      this.prepareRebalance();
    });
  }

  heartbeat(request: MemberRequest): void {
    const member = this.requireCurrent(request);
    if (this.state === "Empty") throw unknownMember(request.memberId);
    this.renewSession(member);
    if (this.state === "PreparingRebalance") throw rebalanceInProgress();
  }

  /** One result per member, in order. */
  leave(leaving: readonly LeavingMember[]): (BrokerError | null)[] {
    this.requireAlive();
    const results = leaving.map((each) => {
      try {
        this.#leave(each);
        return null;
      } catch (error) {
        if (error instanceof BrokerError) return error;
        throw error;
      }
    });
    if (results.includes(null)) this.membersLeft();
    return results;
  }

  #leave({ memberId, groupInstanceId }: LeavingMember): void {
    if (groupInstanceId === null && this.#dropPending(memberId)) return;
    // An administrator names the instance alone.
    const named = groupInstanceId === null ? undefined : this.members.ofInstance(groupInstanceId);
    const id = memberId === "" && named !== undefined ? named : memberId;
    this.expel(this.members.require(id, groupInstanceId), unknownMember(id));
  }

  /** Whether an offset commit is the members' to make now; see KIP-848 for what each version is told. */
  checkCommit(request: MemberRequest, { isTransactional }: CommitTerms): void {
    const { memberId, groupInstanceId, generation } = request;
    this.requireAlive();
    if (generation < 0 && this.state === "Empty") return;
    if (generation >= 0 || memberId !== "" || groupInstanceId !== null) {
      const member = this.members.require(memberId, groupInstanceId);
      if (generation !== this.generation) throw illegalGeneration(generation, this.generation);
      if (!isTransactional) this.renewSession(member);
    } else if (!isTransactional && this.state !== "Empty") throw unknownMember(memberId);
    if (!isTransactional && this.state === "CompletingRebalance") {
      throw rebalanceInProgress();
    }
  }
}
