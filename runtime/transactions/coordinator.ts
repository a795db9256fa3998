// The transaction coordinator of this broker: one state machine per transactional id (`transaction.ts`), each
// step durable in __transaction_state before it counts, markers after the decision. Requests for one id run one
// after another; those that come while a transaction is ending wait for it a little.

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
import type { CoordinatorHost, TransactionLimits } from "./coordinator-host.ts";
import { matching, openOnes, viewOf } from "./listing.ts";
import { MarkerWriter } from "./marker-writer.ts";
import { type LoadReports, StateLog } from "./state-log.ts";
import {
  begun,
  checkEnd,
  checkInit,
  checkMember,
  completed,
  fencedOut,
  holds,
  identityAfter,
  isEnding,
  isExhausted,
  isExpired,
  isOverdue,
  needsProducerId,
  newTransaction,
  prepared,
  type Transaction,
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
  readonly #timers = new Map<string, Timer>();
  #isLoaded = false;
  #isClosed = false;

  constructor(host: CoordinatorHost) {
    this.#host = host;
    this.#log = new StateLog(host);
    this.#markers = new MarkerWriter(host);
  }

  /** Reads __transaction_state, ends what was being ended, and begins to watch over timeouts. */
  async load(progress: LoadReports["progress"] = () => {}): Promise<{ transactions: number }> {
    const failed = (error: unknown, where: string) => this.#host.report(error, where);
    const states = await this.#log.load({ failed, progress });
    for (const state of states.values()) this.#table.add(state);
    this.#isLoaded = true;
    for (const slot of this.#table.all()) if (isEnding(slot.state)) this.#finish(slot);
    this.#every(
      "timeouts",
      (limits) => limits.timeoutCheckMs,
      () => this.abortOverdue(),
    );
    this.#every(
      "expiry",
      (limits) => limits.expirationCheckMs,
      () => this.#expire(),
    );
    return { transactions: states.size };
  }

  close(): void {
    this.#isClosed = true;
    this.#markers.close();
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** For metrics: transactions that are open now, and the age of the oldest. */
  open(): { open: number; oldestMs: number } {
    return openOnes(this.#table.all(), this.#host.clock.nowMs());
  }

  async find(_transactionalId: string): Promise<number> {
    if (!this.#log.exists) await this.#host.createStateTopic();
    return this.#host.brokerId;
  }

  async initProducer(
    request: TransactionMember & { readonly transactionTimeoutMs: number },
  ): Promise<ProducerIdentity> {
    const { transactionalId, transactionTimeoutMs: timeoutMs } = request;
    const { timeoutMsMax } = this.#host.limits();
    if (timeoutMs <= 0 || timeoutMs > timeoutMsMax) {
      throw new BrokerError(
        "INVALID_TRANSACTION_TIMEOUT",
        `transaction.timeout.ms is ${timeoutMs}, the broker allows 1 to ${timeoutMsMax} (transaction.max.timeout.ms)`,
      );
    }
    await this.find(transactionalId);
    const slot = this.#find(transactionalId) ?? (await this.#newSlot(transactionalId, timeoutMs));
    return slot.exclusive(() => this.#init(slot, request));
  }

  addPartitions(
    member: TransactionMember,
    partitions: readonly TopicPartition[],
  ): void | Promise<void> {
    return this.#add(this.#slot(member), member, partitions, 0);
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
    producer: ProducerIdentity,
    place: TopicPartition,
    { mayAdd }: { mayAdd: boolean },
  ): undefined | Promise<void> {
    this.#assertLoaded();
    const slot = this.#table.byProducer(producer.producerId);
    if (slot === undefined) {
      throw new BrokerError(
        "INVALID_PRODUCER_ID_MAPPING",
        `producer id ${producer.producerId} belongs to no transactional id`,
      );
    }
    if (producer.producerEpoch === slot.state.producerEpoch && holds(slot.state, place)) {
      return undefined;
    }
    if (mayAdd) return this.#add(slot, producer, [place], 2) ?? undefined;
    if (producer.producerEpoch !== slot.state.producerEpoch) {
      throw new BrokerError(
        "INVALID_PRODUCER_EPOCH",
        `producer ${producer.producerId} used epoch ${producer.producerEpoch}, the newest is ${slot.state.producerEpoch}`,
      );
    }
    throw new BrokerError(
      "TRANSACTION_ABORTABLE",
      `${place.topic}-${place.partition} is not part of the transaction of '${slot.state.transactionalId}'`,
    );
  }

  /** WriteTxnMarkers: an operator ends what hangs. Returns, or resolves, when the marker is durable. */
  writeMarker(
    place: TopicPartition,
    marker: ProducerIdentity & { coordinatorEpoch: number; isCommit: boolean },
  ): undefined | Promise<void> {
    return this.#markers.writeOnce(place, marker);
  }

  describe(transactionalId: string): TransactionView {
    this.#assertLoaded();
    const state = this.#table.get(transactionalId)?.state;
    if (state !== undefined && state.phase !== "Dead") return viewOf(state, this.#host.brokerId);
    throw new BrokerError(
      "TRANSACTIONAL_ID_NOT_FOUND",
      `there is no transactional id '${transactionalId}'`,
    );
  }

  list(filter: TransactionFilter): readonly TransactionListing[] {
    this.#assertLoaded();
    const states = [...this.#table.all()].map(({ state }) => state);
    return matching(states, filter, this.#host.clock.nowMs());
  }

  /** Aborts transactions that are open for longer than their producer asked for. */
  abortOverdue(): void {
    for (const slot of this.#table.all()) {
      if (!isOverdue(slot.state, this.#host.clock.nowMs())) continue;
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
      if (given.producerId >= 0) {
        const { producerId, producerEpoch } = slot.state;
        given = { producerId, producerEpoch };
      }
    }
    const needsFresh = needsProducerId(slot.state, given);
    const freshProducerId = needsFresh ? await this.#host.allocateProducerId() : -1;
    const nowMs = this.#host.clock.nowMs();
    const timeoutMs = request.transactionTimeoutMs;
    await this.#put(slot, begun(slot.state, given, { timeoutMs, nowMs, freshProducerId }));
    const { producerId, producerEpoch } = slot.state;
    return { producerId, producerEpoch };
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
    const { producerId, producerEpoch, partitions } = state;
    const coordinatorEpoch = this.#log.coordinatorEpoch(state.transactionalId);
    const places = [...partitions].flatMap(([topic, members]) =>
      [...members].map((partition) => ({ topic, partition })),
    );
    const marker = { producerId, producerEpoch, coordinatorEpoch, isCommit };
    const written = this.#markers.write(places, marker);
    if (written === undefined) {
      this.#complete(slot);
      return;
    }
    slot.ending = written.then(() => {
      slot.ending = undefined;
      if (!this.#isClosed) this.#complete(slot);
    });
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

  async #put(slot: Slot, state: Transaction): Promise<void> {
    const written = this.#log.write(state);
    if (written !== undefined) await written;
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
    this.#assertLoaded();
    return this.#table.get(transactionalId);
  }

  #slot({ transactionalId, producerId }: TransactionMember): Slot {
    const slot = this.#find(transactionalId);
    if (slot !== undefined) return slot;
    throw new BrokerError(
      "INVALID_PRODUCER_ID_MAPPING",
      `producer id ${producerId} is not the one of '${transactionalId}'`,
    );
  }

  #assertLoaded(): void {
    if (this.#isLoaded) return;
    throw new BrokerError(
      "COORDINATOR_LOAD_IN_PROGRESS",
      "transactions are being read from __transaction_state: try again",
    );
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

  #every(name: string, intervalMs: (limits: TransactionLimits) => number, run: () => void): void {
    const again = () => {
      const timer = this.#host.clock.after(intervalMs(this.#host.limits()), () => {
        if (this.#isClosed) return;
        run();
        again();
      });
      this.#timers.set(name, timer);
    };
    again();
  }
}
