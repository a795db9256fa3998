// The transaction coordinator of this broker: one state machine per transactional id (`transaction.ts`) of the part
// of __transaction_state that it leads, each step durable there before it counts, markers after the decision.
// Requests for one id run one after another; those that come while a transaction is ending wait for it a little.

import type { TopicPartition } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { Timer } from "../platform.ts";
import { offsetsTopic } from "../topic-name.ts";
import type {
  ProducerIdentity,
  TransactionalCommit,
  TransactionCoordinator,
  TransactionFilter,
  TransactionListing,
  TransactionMember,
  TransactionView,
} from "../transaction-coordinator.ts";
import type { Admission, CoordinatorHost } from "./coordinator-host.ts";
import { matching, openOnes, viewOf } from "./listing.ts";
import { MarkerWriter } from "./marker-writer.ts";
import { type LoadProgress, loadInProgress, OwnStates } from "./own-states.ts";
import { Rounds } from "./rounds.ts";
import { StateLog } from "./state-log.ts";
import {
  begun,
  checkEnd,
  checkInit,
  checkMember,
  checkTimeout,
  completed,
  fencedOut,
  holds,
  identityAfter,
  identityOf,
  isEnding,
  isExhausted,
  isExpired,
  isOverdue,
  needsProducerId,
  newTransaction,
  notAdmitted,
  prepared,
  type Transaction,
  unknownProducer,
  withPartitions,
} from "./transaction.ts";
import { type Slot, TransactionTable } from "./transaction-table.ts";

/** How long a request waits for the markers of the transaction before; then CONCURRENT_TRANSACTIONS. */
const endingWaitMsMax = 1000;

export class Coordinator implements TransactionCoordinator {
  readonly #host: CoordinatorHost;
  readonly #log: StateLog;
  readonly #markers: MarkerWriter;
  readonly #table = new TransactionTable();
  readonly #rounds: Rounds;
  readonly #own: OwnStates;
  #isLoaded = false;
  #isClosed = false;
  #stopWatching = () => {};

  constructor(host: CoordinatorHost) {
    this.#host = host;
    this.#log = new StateLog(host);
    this.#markers = new MarkerWriter(host);
    this.#rounds = new Rounds(host.clock);
    this.#own = new OwnStates({
      log: this.#log,
      clock: host.clock,
      loaded: (states) => this.#resume(states),
      dropped: (partition) => this.#forget(partition),
      report: (error, where) => host.report(error, where),
    });
  }

  /** Reads its part of __transaction_state, ends what was being ended, and begins to watch over timeouts. */
  async load(progress?: (progress: LoadProgress) => void): Promise<{ transactions: number }> {
    this.#stopWatching = this.#host.watchStates(() => void this.follow());
    const transactions = await this.#own.follow(progress);
    this.#isLoaded = true;
    const { limits } = this.#host;
    this.#rounds.every(
      "timeouts",
      () => limits().timeoutCheckMs,
      () => this.abortOverdue(),
    );
    this.#rounds.every(
      "expiry",
      () => limits().expirationCheckMs,
      () => this.#expire(),
    );
    return { transactions };
  }

  /** Leaderships may have changed: takes over ids, or lets go of them. Returns how many were read. */
  follow(): Promise<number> {
    return this.#own.follow();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopWatching();
    this.#own.close();
    this.#markers.close();
    this.#rounds.close();
  }

  /** For metrics. */
  open(): { open: number; oldestMs: number } {
    return openOnes(this.#table.all(), this.#host.clock.nowMs());
  }

  async find(transactionalId: string): Promise<number> {
    if (this.#log.partitionCount === 0) {
      await this.#host.createStateTopic();
      void this.follow();
    }
    const leader = this.#host.stateLeader(this.#log.partitionOf(transactionalId));
    if (leader >= 0) return leader;
    throw new BrokerError("COORDINATOR_NOT_AVAILABLE", "its coordinator has no leader now");
  }

  async initProducer(
    request: TransactionMember & { readonly transactionTimeoutMs: number },
  ): Promise<ProducerIdentity> {
    const { transactionalId, transactionTimeoutMs: timeoutMs } = request;
    checkTimeout(timeoutMs, this.#host.limits().timeoutMsMax);
    await this.find(transactionalId);
    const slot = this.#find(transactionalId) ?? (await this.#newSlot(transactionalId, timeoutMs));
    return slot.exclusive(() => this.#init(slot, request));
  }

  addPartitions(member: TransactionMember, places: readonly TopicPartition[]) {
    return this.#add(this.#slot(member), member, places, 0);
  }

  async addGroup(member: TransactionMember, groupId: string): Promise<void> {
    const slot = this.#slot(member);
    const partition = await this.#host.groups.partitionOf(groupId);
    await this.#add(slot, member, [{ topic: offsetsTopic, partition }], 0);
  }

  async commitOffsets(request: TransactionalCommit, options: { addsGroup: boolean }) {
    const groups = this.#host.groups;
    const partition = await groups.partitionOf(request.groupId);
    const place = { topic: offsetsTopic, partition };
    await this.admit(request, place, { mayAdd: options.addsGroup });
    return groups.commitInTransaction(request);
  }

  end(
    member: TransactionMember,
    options: { isCommit: boolean; bumpsEpoch: boolean },
  ): Promise<ProducerIdentity> {
    const slot = this.#slot(member);
    return slot.exclusive(() => this.#end(slot, { ...member, ...options }));
  }

  admit(
    producer: ProducerIdentity & { readonly transactionalId?: string | undefined },
    place: TopicPartition,
    { mayAdd }: { mayAdd: boolean },
  ): undefined | Promise<void> {
    const { transactionalId, producerId, producerEpoch } = producer;
    if (transactionalId !== undefined && this.#own.epochOf(transactionalId) === undefined) {
      return this.#admitElsewhere({ transactionalId, producerId, producerEpoch, place, mayAdd });
    }
    if (transactionalId === undefined && this.#own.isLoading) throw loadInProgress();
    const slot = this.#table.byProducer(producerId);
    if (slot === undefined) throw unknownProducer(producerId);
    if (producerEpoch === slot.state.producerEpoch && holds(slot.state, place)) return undefined;
    if (mayAdd) return this.#add(slot, producer, [place], 2) ?? undefined;
    throw notAdmitted(slot.state, producer, place);
  }

  /** The same for another broker that leads the place; NOT_COORDINATOR. */
  admitHere(admission: Admission): undefined | Promise<void> {
    this.#own.requireLoaded(admission.transactionalId);
    return this.admit(admission, admission.place, admission);
  }

  /** Another broker coordinates it, or this one has not read it yet. */
  async #admitElsewhere(admission: Admission): Promise<void> {
    const leader = await this.find(admission.transactionalId);
    if (leader === this.#host.brokerId) await this.admitHere(admission);
    else await this.#host.remote.admit(leader, admission);
  }

  /** WriteTxnMarkers: an operator ends what hangs. Returns, or resolves, when the marker is durable. */
  writeMarker(
    place: TopicPartition,
    marker: ProducerIdentity & { coordinatorEpoch: number; isCommit: boolean },
  ): undefined | Promise<void> {
    return this.#markers.writeOnce(place, marker);
  }

  describe(transactionalId: string): TransactionView {
    if (this.#log.partitionCount > 0) this.#own.requireLoaded(transactionalId);
    const state = this.#table.get(transactionalId)?.state;
    if (state !== undefined && state.phase !== "Dead") return viewOf(state, this.#host.brokerId);
    throw new BrokerError(
      "TRANSACTIONAL_ID_NOT_FOUND",
      `there is no transactional id '${transactionalId}'`,
    );
  }

  list(filter: TransactionFilter): readonly TransactionListing[] {
    if (!this.#isLoaded || this.#own.isLoading) throw loadInProgress();
    const states = Array.from(this.#table.all(), ({ state }) => state);
    return matching(states, filter, this.#host.clock.nowMs());
  }

  /** Aborts transactions that are open for longer than their producer asked for. */
  abortOverdue(): void {
    const nowMs = this.#host.clock.nowMs();
    const overdue = [...this.#table.all()].filter(({ state }) => isOverdue(state, nowMs));
    for (const slot of overdue) {
      const abort = slot.exclusive(async () => {
        if (!isOverdue(slot.state, this.#host.clock.nowMs())) return;
        await this.#fence(slot);
        this.#host.counters.transactionsTimedOut++;
      });
      abort.catch((error) => this.#host.report(error, "aborting a transaction by its timeout"));
    }
  }

  // ---- steps of one id, one after another ----

  async #init(slot: Slot, request: TransactionMember & { transactionTimeoutMs: number }) {
    await this.#ended(slot);
    checkInit(slot.state, request);
    let given: ProducerIdentity = request;
    if (slot.state.phase === "Ongoing") {
      await this.#fence(slot);
      await this.#ended(slot);
      // Its own identity was raised by the abort: what it gave has been checked.
      if (given.producerId >= 0) given = identityOf(slot.state);
    }
    const isFresh = needsProducerId(slot.state, given);
    const freshProducerId = isFresh ? await this.#host.allocateProducerId() : -1;
    const nowMs = this.#host.clock.nowMs();
    const timeoutMs = request.transactionTimeoutMs;
    await this.#put(slot, begun(slot.state, given, { timeoutMs, nowMs, freshProducerId }));
    return identityOf(slot.state);
  }

  #add(
    slot: Slot,
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
    clientVersion: 0 | 2,
  ): void | Promise<void> {
    if (producer.producerId === slot.state.producerId) {
      const isNewest = producer.producerEpoch === slot.state.producerEpoch;
      if (isNewest && partitions.every((each) => holds(slot.state, each))) return;
    }
    return slot.exclusive(async () => {
      await this.#ended(slot);
      checkMember(slot.state, producer);
      const nowMs = this.#host.clock.nowMs();
      const next = withPartitions(slot.state, partitions, { nowMs, clientVersion });
      if (next !== slot.state) await this.#put(slot, next);
    });
  }

  async #end(
    slot: Slot,
    request: TransactionMember & { isCommit: boolean; bumpsEpoch: boolean },
  ): Promise<ProducerIdentity> {
    await this.#ended(slot);
    const what = checkEnd(slot.state, request);
    if (what === "ended") return identityAfter(slot.state);
    const { isCommit, bumpsEpoch } = request;
    const isLast = bumpsEpoch && isExhausted(slot.state);
    const freshProducerId = isLast ? await this.#host.allocateProducerId() : -1;
    const nowMs = this.#host.clock.nowMs();
    await this.#put(slot, prepared(slot.state, { isCommit, bumpsEpoch, freshProducerId, nowMs }));
    const identity = identityAfter(slot.state);
    this.#finish(slot);
    return identity;
  }

  async #fence(slot: Slot): Promise<void> {
    await this.#put(slot, fencedOut(slot.state, this.#host.clock.nowMs()));
    this.#finish(slot);
  }

  /** From the decision on: markers, then the completed state. Nothing that fails here changes the decision. */
  #finish(slot: Slot): void {
    const { state } = slot;
    const isCommit = state.phase === "PrepareCommit";
    const { transactionalId, producerId, producerEpoch, partitions } = state;
    const coordinatorEpoch = this.#own.epochOf(transactionalId);
    // It was decided, and the leadership ended: the next coordinator reads it and goes on.
    if (coordinatorEpoch === undefined) return;
    const isCurrent = () => this.#own.epochOf(transactionalId) === coordinatorEpoch;
    const places = [...partitions].flatMap(([topic, members]) =>
      [...members].map((partition) => ({ topic, partition })),
    );
    const marker = { producerId, producerEpoch, coordinatorEpoch, isCommit };
    const done = () => {
      slot.ending = undefined;
      if (!this.#isClosed && isCurrent()) this.#complete(slot);
    };
    const written = this.#markers.write(places, marker, isCurrent);
    if (written === undefined) done();
    else slot.ending = written.then(done);
  }

  #complete(slot: Slot): void {
    const { counters, clock } = this.#host;
    if (slot.state.phase === "PrepareCommit") counters.transactionsCommitted++;
    else counters.transactionsAborted++;
    const next = completed(slot.state, clock.nowMs());
    slot.state = next;
    const report = (error: unknown) => this.#host.report(error, "completing a transaction");
    // If it is lost, the markers are written once more: that changes nothing.
    try {
      void this.#log.write(next)?.catch(report);
    } catch (error) {
      report(error);
    }
  }

  /** Waits for the markers of the transaction before. */
  async #ended(slot: Slot): Promise<void> {
    if (slot.ending === undefined) return;
    let timer: Timer | undefined;
    const tooLong = new Promise<void>((resolve) => {
      timer = this.#host.clock.after(endingWaitMsMax, resolve);
    });
    await Promise.race([slot.ending, tooLong]);
    timer?.cancel();
    if (slot.ending === undefined) return;
    throw new BrokerError(
      "CONCURRENT_TRANSACTIONS",
      `the last transaction of '${slot.state.transactionalId}' is still being ended: try again`,
    );
  }

  /** Not of a slot that was let go while a request waited: a newer one may know more by now. */
  async #put(slot: Slot, state: Transaction): Promise<void> {
    if (!this.#table.holds(slot)) throw loadInProgress();
    await this.#log.write(state);
    slot.state = state;
  }

  // ---- ids ----

  async #newSlot(transactionalId: string, timeoutMs: number): Promise<Slot> {
    const producerId = await this.#host.allocateProducerId();
    // Two producers may come with one new id at once.
    const known = this.#table.get(transactionalId);
    if (known !== undefined) return known;
    const nowMs = this.#host.clock.nowMs();
    const state = newTransaction(transactionalId, { producerId, timeoutMs, nowMs });
    return this.#table.add(state);
  }

  #find(transactionalId: string): Slot | undefined {
    this.#own.requireLoaded(transactionalId);
    return this.#table.get(transactionalId);
  }

  #slot({ transactionalId, producerId }: TransactionMember): Slot {
    const slot = this.#find(transactionalId);
    if (slot !== undefined) return slot;
    throw unknownProducer(producerId, transactionalId);
  }

  #resume(states: Iterable<Transaction>): void {
    for (const state of states) {
      const slot = this.#table.add(state);
      if (isEnding(state)) this.#finish(slot);
    }
  }

  #forget(partition: number): void {
    for (const slot of [...this.#table.all()]) {
      if (this.#log.partitionOf(slot.state.transactionalId) === partition) this.#table.remove(slot);
    }
  }

  #expire(): void {
    const nowMs = this.#host.clock.nowMs();
    const afterMs = this.#host.limits().idExpirationMs;
    for (const slot of this.#table.all()) {
      if (!isExpired(slot.state, { nowMs, afterMs })) continue;
      const removal = slot.exclusive(async () => {
        if (!isExpired(slot.state, { nowMs, afterMs })) return;
        await this.#log.remove(slot.state.transactionalId);
        this.#table.remove(slot);
        slot.state = { ...slot.state, phase: "Dead" };
      });
      removal.catch((error) => this.#host.report(error, "forgetting a transactional id"));
    }
  }
}
