// Rebalances of a classic group, and the sessions of its members: who is waited for, how long, and what becomes of
// those who do not come. Empty → PreparingRebalance → CompletingRebalance, and back with every change.
// `classic-group.ts` takes the requests that start them.

import { BrokerError } from "../errors.ts";
import type { Clock, Timer } from "../platform.ts";
import { ClassicGroupState } from "./classic-group-state.ts";
import { type ClassicMember, failedJoin, unknownMember } from "./classic-members.ts";

export interface ClassicGroupHost {
  readonly clock: Clock;
  /** A fresh random id. */
  newId(): string;
  limits(): { readonly initialRebalanceDelayMs: number; readonly membersMax: number };
  /** Writes the group as it is now; `assignments` are those of a sync that is not in force yet. */
  persist(
    group: ClassicGroupState,
    assignments?: ReadonlyMap<string, Uint8Array>,
  ): void | Promise<void>;
  rebalanced(): void;
}

/** A new member whose JoinGroup is not answered in this time is taken for gone. */
export const newMemberJoinMsMax = 5 * 60_000;

export class ClassicRebalance extends ClassicGroupState {
  protected readonly host: ClassicGroupHost;
  /** Ids given out, not yet used to join. */
  protected readonly pending = new Map<string, Timer>();
  /** Who has not fetched its assignment yet. */
  protected readonly pendingSync = new Set<string>();
  protected joinTimer: Timer | null = null;
  protected syncTimer: Timer | null = null;
  protected isInitialRebalance = false;
  /** Somebody joined during the initial delay: it is worth waiting again. */
  protected hasNewcomer = false;

  constructor(host: ClassicGroupHost, groupId: string) {
    super(host.clock, groupId);
    this.host = host;
  }

  // ---- rebalancing ----

  protected rebalanceOrComplete(): void {
    if (this.state === "PreparingRebalance") this.completeJoinIfAllHere();
    else if (this.state !== "Dead") this.prepareRebalance();
  }

  protected prepareRebalance(): void {
    if (this.state === "CompletingRebalance") {
      this.failSyncs(new BrokerError("REBALANCE_IN_PROGRESS", "the group rebalances again"));
    }
    this.syncTimer?.cancel();
    this.pendingSync.clear();
    this.isInitialRebalance = this.state === "Empty";
    this.moveTo("PreparingRebalance");
    this.host.rebalanced();
    if (this.isInitialRebalance) this.#waitForFirstMembers();
    else if (this.#allHere()) this.#completeJoin();
    else this.#setJoinTimer(this.members.rebalanceTimeoutMs(), () => this.#completeJoin());
  }

  /** An empty group gives further members time to come, and more time while they do. */
  #waitForFirstMembers(): void {
    const delayMs = this.host.limits().initialRebalanceDelayMs;
    let leftMs = Math.max(this.members.rebalanceTimeoutMs() - delayMs, 0);
    this.hasNewcomer = false;
    const lookAgain = () => {
      if (!this.hasNewcomer || leftMs === 0) {
        this.#completeJoin();
        return;
      }
      this.hasNewcomer = false;
      const nextMs = Math.min(delayMs, leftMs);
      leftMs = Math.max(leftMs - delayMs, 0);
      this.#setJoinTimer(nextMs, lookAgain);
    };
    this.#setJoinTimer(delayMs, lookAgain);
  }

  protected completeJoinIfAllHere(): void {
    if (this.state !== "PreparingRebalance" || this.isInitialRebalance) return;
    if (this.#allHere()) this.#completeJoin();
  }

  #allHere(): boolean {
    return this.members.size === this.members.awaitingJoin && this.pending.size === 0;
  }

  /** Who has not come again is out, static members excepted; the others make the next generation. */
  #completeJoin(): void {
    this.joinTimer?.cancel();
    this.joinTimer = null;
    for (const member of [...this.members.all()]) {
      if (member.awaitingJoin === null && member.groupInstanceId === null) {
        this.members.remove(member);
      }
    }
    if (this.members.size > 0 && !this.members.electJoinedLeader()) {
      this.#setJoinTimer(this.members.rebalanceTimeoutMs(), () => this.#completeJoin());
      return;
    }
    this.isInitialRebalance = false;
    // Java's integers: the generation wraps, to 0 here, since negative ones mean "none".
    this.generation = (this.generation + 1) % 2 ** 31;
    if (this.members.size === 0) this.#becomeEmpty();
    else this.#startGeneration();
  }

  #becomeEmpty(): void {
    this.protocolName = null;
    this.moveTo("Empty");
    this.noteSubscriptions();
    // Lost if it fails: then the members are found silent after the next start.
    this.persisted(this.host.persist(this), ignore, ignore);
  }

  #startGeneration(): void {
    this.protocolName = this.members.chooseProtocol();
    this.moveTo("CompletingRebalance");
    this.noteSubscriptions();
    for (const member of this.members.all()) {
      this.pendingSync.add(member.memberId);
      if (member.awaitingJoin === null) continue;
      member.isNew = false;
      this.members.answerJoin(member, this.joined(member));
      this.renewSession(member);
    }
    const { generation } = this;
    this.syncTimer = this.host.clock.after(this.members.rebalanceTimeoutMs(), () => {
      if (generation === this.generation) this.#expelUnsynced();
    });
  }

  /** Who joined and never fetched its assignment would own partitions and read nothing. */
  #expelUnsynced(): void {
    if (this.state !== "CompletingRebalance" && this.state !== "Stable") return;
    if (this.pendingSync.size === 0) return;
    for (const memberId of this.pendingSync) {
      const member = this.members.get(memberId);
      if (member) this.members.remove(member);
    }
    this.prepareRebalance();
  }

  // ---- sessions ----

  protected renewSession(member: ClassicMember): void {
    this.setSession(member, member.sessionTimeoutMs);
  }

  protected setSession(member: ClassicMember, ms: number): void {
    member.session?.cancel();
    member.session = this.host.clock.after(ms, () => this.#sessionEnded(member));
  }

  #sessionEnded(member: ClassicMember): void {
    if (this.members.get(member.memberId) !== member) return;
    const isWaiting = member.awaitingJoin !== null || member.awaitingSync !== null;
    if (isWaiting && !member.isNew) return;
    this.expel(member, unknownMember(member.memberId));
    this.membersLeft();
  }

  protected expel(member: ClassicMember, error: BrokerError): void {
    this.members.answerJoin(member, failedJoin(member.memberId, error));
    member.awaitingSync?.reject(error);
    member.awaitingSync = null;
    this.pendingSync.delete(member.memberId);
    this.members.remove(member);
  }

  protected membersLeft(): void {
    if (this.state === "Stable" || this.state === "CompletingRebalance") this.prepareRebalance();
    else this.completeJoinIfAllHere();
  }

  #setJoinTimer(ms: number, run: () => void): void {
    this.joinTimer?.cancel();
    this.joinTimer = this.host.clock.after(ms, run);
  }

  /** Runs one of the two when a write has ended, at once if it already has. */
  protected persisted(
    write: void | Promise<void>,
    done: () => void,
    failed: (error: BrokerError) => void,
  ): void {
    if (!(write instanceof Promise)) {
      done();
      return;
    }
    write.then(done, (cause: unknown) => {
      if (cause instanceof BrokerError) failed(cause);
      else failed(new BrokerError("COORDINATOR_NOT_AVAILABLE", "it cannot be stored", { cause }));
    });
  }
}

const ignore = () => {};
