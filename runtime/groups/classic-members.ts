// Members of one classic group: who they are, who leads, which protocol they all speak. Pure book-keeping; what
// follows from a change is `classic-group.ts`'s decision.

import { BrokerError } from "../errors.ts";
import type { GroupProtocol, JoinAnswer, JoinedMember, SyncAnswer } from "../group-coordinator.ts";
import type { Timer } from "../platform.ts";

/** The waiting end of a request: settled once. */
export interface Waiting<T> {
  resolve(value: T): void;
  reject(error: BrokerError): void;
}

export interface ClassicMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly GroupProtocol[];
  assignment: Uint8Array;
  awaitingJoin: Waiting<JoinAnswer> | null;
  awaitingSync: Waiting<SyncAnswer> | null;
  /** Joined for the first time and was not answered yet: it cannot send heartbeats. */
  isNew: boolean;
  session: Timer | null;
}

export class ClassicMembers {
  leaderId: string | null = null;
  readonly #members = new Map<string, ClassicMember>();
  /** Member id by instance id. */
  readonly #static = new Map<string, string>();
  /** Protocol name to how many members know it. */
  readonly #support = new Map<string, number>();
  #awaitingJoin = 0;

  get size(): number {
    return this.#members.size;
  }

  /** Members whose JoinGroup waits for an answer. */
  get awaitingJoin(): number {
    return this.#awaitingJoin;
  }

  get(memberId: string): ClassicMember | undefined {
    return this.#members.get(memberId);
  }

  has(memberId: string): boolean {
    return this.#members.has(memberId);
  }

  all(): Iterable<ClassicMember> {
    return this.#members.values();
  }

  ofInstance(groupInstanceId: string): string | undefined {
    return this.#static.get(groupInstanceId);
  }

  add(member: ClassicMember): void {
    this.#members.set(member.memberId, member);
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, member.memberId);
    this.#count(member.protocols, 1);
    this.leaderId ??= member.memberId;
    if (member.awaitingJoin !== null) this.#awaitingJoin++;
  }

  /** Its waits must have been settled. */
  remove(member: ClassicMember): void {
    if (!this.#members.delete(member.memberId)) return;
    member.session?.cancel();
    const { groupInstanceId } = member;
    if (groupInstanceId !== null && this.#static.get(groupInstanceId) === member.memberId) {
      this.#static.delete(groupInstanceId);
    }
    this.#count(member.protocols, -1);
    if (member.awaitingJoin !== null) this.#awaitingJoin--;
    if (this.leaderId === member.memberId) {
      this.leaderId = this.#members.keys().next().value ?? null;
    }
  }

  setProtocols(member: ClassicMember, protocols: readonly GroupProtocol[]): void {
    this.#count(member.protocols, -1);
    member.protocols = protocols;
    this.#count(protocols, 1);
  }

  /** A member that asks again while it waits: only the newer request is answered. */
  awaitJoin(member: ClassicMember, waiting: Waiting<JoinAnswer>): void {
    if (member.awaitingJoin === null) this.#awaitingJoin++;
    else {
      member.awaitingJoin.resolve(
        failedJoin(member.memberId, new BrokerError("REBALANCE_IN_PROGRESS", "asked again")),
      );
    }
    member.awaitingJoin = waiting;
  }

  answerJoin(member: ClassicMember, answer: JoinAnswer): void {
    const waiting = member.awaitingJoin;
    if (waiting === null) return;
    member.awaitingJoin = null;
    this.#awaitingJoin--;
    waiting.resolve(answer);
  }

  /** A static member came back under a new id (KIP-345): who still waits under the old one is fenced. */
  replaceStatic(old: ClassicMember, memberId: string): ClassicMember {
    const fenced = fencedInstance(old.groupInstanceId ?? "", old.memberId);
    this.answerJoin(old, failedJoin(old.memberId, fenced));
    old.awaitingSync?.reject(fenced);
    old.awaitingSync = null;
    const wasLeader = this.leaderId === old.memberId;
    this.remove(old);
    const member: ClassicMember = { ...old, memberId, session: null };
    this.add(member);
    if (wasLeader) this.leaderId = memberId;
    return member;
  }

  /** Makes a member that waits the leader if the leader does not; false if nobody waits. */
  electJoinedLeader(): boolean {
    if (this.leaderId === null) return false;
    if (this.#members.get(this.leaderId)?.awaitingJoin) return true;
    for (const member of this.#members.values()) {
      if (member.awaitingJoin === null) continue;
      this.leaderId = member.memberId;
      return true;
    }
    return false;
  }

  /** Whether all members know at least one of the protocols. */
  canSpeak(protocols: readonly GroupProtocol[]): boolean {
    return protocols.some(({ name }) => this.#support.get(name) === this.#members.size);
  }

  /** Each member votes for the first protocol of its list that all know; most votes win. */
  chooseProtocol(): string {
    const votes = new Map<string, number>();
    for (const { protocols } of this.#members.values()) {
      const vote = protocols.find(({ name }) => this.#support.get(name) === this.#members.size);
      if (vote) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    let chosen = "";
    for (const [name, count] of votes) if (count > (votes.get(chosen) ?? 0)) chosen = name;
    return chosen;
  }

  /** What the leader is told. */
  joined(protocol: string): JoinedMember[] {
    return Array.from(this.#members.values(), (member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: metadataOf(member, protocol),
    }));
  }

  /** The slowest member's patience, ms. */
  rebalanceTimeoutMs(): number {
    let longest = 0;
    for (const { rebalanceTimeoutMs } of this.#members.values()) {
      longest = Math.max(longest, rebalanceTimeoutMs);
    }
    return longest;
  }

  /** FENCED_INSTANCE_ID, UNKNOWN_MEMBER_ID. */
  require(memberId: string, groupInstanceId: string | null): ClassicMember {
    if (groupInstanceId !== null) {
      const current = this.#static.get(groupInstanceId);
      if (current === undefined) throw unknownMember(memberId);
      if (current !== memberId) throw fencedInstance(groupInstanceId, memberId);
    }
    const member = this.#members.get(memberId);
    if (member === undefined) throw unknownMember(memberId);
    return member;
  }

  #count(protocols: readonly GroupProtocol[], change: 1 | -1): void {
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      const count = (this.#support.get(name) ?? 0) + change;
      if (count === 0) this.#support.delete(name);
      else this.#support.set(name, count);
    }
  }
}

export function metadataOf(member: ClassicMember, protocol: string): Uint8Array {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? new Uint8Array(0);
}

/** Whether a member asks for exactly what it has asked before. */
export function sameProtocols(a: readonly GroupProtocol[], b: readonly GroupProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, metadata }, i) => {
      const other = b[i]!;
      return (
        name === other.name &&
        metadata.length === other.metadata.length &&
        metadata.every((byte, at) => byte === other.metadata[at])
      );
    })
  );
}

export function failedJoin(memberId: string, error: BrokerError): JoinAnswer {
  return {
    error,
    generation: -1,
    protocolType: null,
    protocolName: null,
    leader: "",
    skipAssignment: false,
    memberId,
    members: [],
  };
}

export function unknownMember(memberId: string): BrokerError {
  return new BrokerError("UNKNOWN_MEMBER_ID", `the group has no member '${memberId}'`);
}

export function rebalanceInProgress(): BrokerError {
  return new BrokerError("REBALANCE_IN_PROGRESS", "the group rebalances: join again");
}

export function fencedInstance(groupInstanceId: string, memberId: string): BrokerError {
  return new BrokerError(
    "FENCED_INSTANCE_ID",
    `another member than '${memberId}' now is instance '${groupInstanceId}'`,
  );
}
