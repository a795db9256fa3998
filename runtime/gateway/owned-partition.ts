// OwnedPartition: conditional appends before a Kafka that knows none. The gateway registers a transactional id of the
// partition, whose newest epoch only one gateway has, and writes its marker into the log: from then on Kafka refuses
// the batches of every other gateway. Batches are numbered, so that one sent again is stored once.
//
// What it cannot keep out are producers that write to the topic past all gateways: their records come in between.

import type { Core } from "../../storage-wasm/core.ts";
import type { Appended, AppendRequest, TopicPartition } from "../broker.ts";
import type { TransactionCalls, TransactionIdentity } from "../client/transaction-calls.ts";
import { BrokerError } from "../errors.ts";
import { readBatchFacts } from "../http/batch-facts.ts";
import type { Clock } from "../platform.ts";
import type { Upstream } from "./upstream.ts";

/** A marker that is not written by then is given up by the coordinator. */
const transactionTimeoutMs = 60_000;
/** Kafka forgets producers that write nothing for a day; long before that the partition is taken anew. */
const idleMsMax = 10 * 60_000;
/** Who lost a race for a partition lets the other one append for so long, or up to twice. */
const yieldMs = 50;
const sequenceMax = 2 ** 31;
/** Of a record batch: what the CRC begins with, the CRC itself, the producer's fields. */
const crcAt = 17;
const attributesAt = 21;
const producerIdAt = 43;
const producerEpochAt = 51;
const baseSequenceAt = 53;

interface Owned {
  readonly identity: TransactionIdentity;
  sequence: number;
  /** Where the log ends as far as this gateway wrote it. */
  end: number;
  usedMs: number;
}

export interface OwnedPartitionHost {
  readonly clock: Clock;
  readonly core: Core;
  readonly upstream: Upstream;
}

export type ConditionalAppend = AppendRequest & { readonly expectedOffset: number };

export class OwnedPartition {
  readonly #host: OwnedPartitionHost;
  readonly #place: TopicPartition;
  readonly #transactions: TransactionCalls;
  #owned: Owned | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(host: OwnedPartitionHost, place: TopicPartition, topicId: string) {
    this.#host = host;
    this.#place = place;
    const id = `timberline-gateway-${topicId}-${place.partition}`;
    this.#transactions = host.upstream.transactions(id);
  }

  get isIdle(): boolean {
    return this.#waiting === 0;
  }

  /** One after the other. OPERATION_NOT_ATTEMPTED if the log ends elsewhere, or another gateway writes here now. */
  append(request: ConditionalAppend): Promise<Appended> {
    this.#waiting++;
    const appended = this.#last.then(() => this.#appendNow(request));
    this.#last = appended.then(nothing, nothing).then(() => {
      this.#waiting--;
    });
    return appended;
  }

  async #appendNow(request: ConditionalAppend): Promise<Appended> {
    const { clock, core, upstream } = this.#host;
    const owned = await this.#own();
    if (owned.end !== request.expectedOffset) {
      // Others may have written past the gateway.
      owned.end = await this.#logEnd();
      if (owned.end !== request.expectedOffset) throw endsElsewhere(this.#place, owned.end);
    }
    const count = readBatchFacts(request.batch).recordCount;
    const batch = numbered(core, request.batch, owned);
    try {
      const { expectedOffset, ...plain } = request;
      const appended = await upstream.append({ ...plain, batch });
      owned.sequence = (owned.sequence + count) % sequenceMax;
      owned.end = appended.nextOffset;
      owned.usedMs = clock.monotonicMs();
      return appended;
    } catch (error) {
      // Whether it was stored is not known: under a new epoch what may still be under way is refused.
      this.#owned = null;
      if (isFenced(error)) throw endsElsewhere(this.#place, -1);
      throw error;
    }
  }

  async #own(): Promise<Owned> {
    const { clock } = this.#host;
    if (this.#owned !== null && clock.monotonicMs() - this.#owned.usedMs < idleMsMax) {
      return this.#owned;
    }
    this.#owned = null;
    const taken = await this.#takenOver();
    this.#owned = { ...taken, sequence: 0, usedMs: clock.monotonicMs() };
    return this.#owned;
  }

  async #takenOver(): Promise<Pick<Owned, "identity" | "end">> {
    const { clock, upstream } = this.#host;
    try {
      return await upstream.ask(() => this.#takeOver());
    } catch (error) {
      if (!isFenced(error)) throw error;
      // Another gateway takes it over at this moment: it should come to its append first.
      const pauseMs = yieldMs + upstream.connecting.platform.random.integer(yieldMs);
      await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
      throw endsElsewhere(this.#place, -1);
    }
  }

  /**
   * An aborted transaction of nothing leaves its marker; registering again waits until it is in the log. Whoever
   * registers first (epoch 0), before anything was written, has nobody to shut out, and needs none.
   */
  async #takeOver(): Promise<Pick<Owned, "identity" | "end">> {
    const transactions = this.#transactions;
    const first = await transactions.init(transactionTimeoutMs, null);
    if (first.producerEpoch === 0 && (await this.#logEnd()) === 0)
      return { identity: first, end: 0 };
    await transactions.addPartitions(first, [this.#place]);
    await transactions.end(first, { isCommit: false, isSecondProtocol: false });
    const { producerId, producerEpoch } = first;
    const identity = await transactions.init(transactionTimeoutMs, { producerId, producerEpoch });
    return { identity, end: await this.#logEnd() };
  }

  async #logEnd(): Promise<number> {
    const found = await this.#host.upstream.listOffsets({
      ...this.#place,
      spec: "latest",
      currentLeaderEpoch: -1,
      isolation: "read_uncommitted",
    });
    if (found.error !== null) throw found.error;
    return found.offset;
  }
}

/** The same records under the owner's number. */
function numbered(core: Core, batch: Uint8Array, { identity, sequence }: Owned): Uint8Array {
  const own = batch.slice();
  const view = new DataView(own.buffer);
  view.setBigInt64(producerIdAt, BigInt(identity.producerId));
  view.setInt16(producerEpochAt, identity.producerEpoch);
  view.setInt32(baseSequenceAt, sequence);
  view.setUint32(crcAt, core.crc32c(own.subarray(attributesAt)));
  return own;
}

function isFenced(error: unknown): boolean {
  if (!(error instanceof BrokerError)) return false;
  return error.code === "INVALID_PRODUCER_EPOCH" || error.code === "PRODUCER_FENCED";
}

function endsElsewhere({ topic, partition }: TopicPartition, end: number): BrokerError {
  const where = end < 0 ? "another gateway writes to it" : `it ends at ${end}`;
  const what = `${topic}-${partition} does not end at the expected offset: ${where}`;
  return new BrokerError("OPERATION_NOT_ATTEMPTED", what);
}

function nothing(): void {}
