// PartitionQueue: what one producer has not yet had acknowledged for one partition: the batch being filled, those
// that wait in order, those on their way. Pure bookkeeping; `sender.ts` decides when something moves.

import type { OutgoingBatch } from "./batch.ts";

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Being filled. */
  open: OutgoingBatch | null = null;
  /** Full, due, or to be sent again; by `order`. */
  readonly waiting: OutgoingBatch[] = [];
  readonly inFlight = new Set<OutgoingBatch>();
  /** Sequence of the next batch that has none yet. */
  nextSequence = 0;
  /** Larger ones were refused. */
  batchBytesMax = Number.POSITIVE_INFINITY;
  /** Of the batch before: the next one will be about as large. */
  bytesHint = 0;
  /** Nothing is sent before, after a failure. */
  notBeforeMs = 0;
  /** A batch came back: the others on their way must come back too before order is certain. */
  isRetrying = false;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isIdle(): boolean {
    return this.open === null && this.waiting.length === 0;
  }

  /** Closes the open batch for more records. */
  seal(): void {
    if (this.open === null) return;
    this.bytesHint = this.open.bytes;
    this.waiting.push(this.open);
    this.open = null;
  }

  /** Back in line, before everything younger. */
  putBack(batches: readonly OutgoingBatch[]): void {
    this.waiting.push(...batches);
    this.waiting.sort((a, b) => a.order - b.order);
    this.isRetrying = true;
  }

  /** Whether an older batch is still unacknowledged. */
  hasOlder(than: OutgoingBatch): boolean {
    if (this.waiting.some((batch) => batch.order < than.order)) return true;
    for (const batch of this.inFlight) if (batch.order < than.order) return true;
    return false;
  }

  /** Whether any other batch already has a sequence. */
  hasNumbered(): boolean {
    return this.inFlight.size > 0 || this.waiting.some((batch) => batch.baseSequence >= 0);
  }

  /**
   * Whether the next batch has another producer id than one on its way: between two ids the broker sees no gap, and
   * the later one would be stored although the earlier one fails. `producerId`: what a new batch would get.
   */
  isBehindOther(producerId: number): boolean {
    const next = this.waiting[0];
    const own = next !== undefined && next.baseSequence >= 0 ? next.producerId : producerId;
    for (const batch of this.inFlight) if (batch.producerId !== own) return true;
    return false;
  }

  /**
   * With a new producer id numbers begin at 0 again. What the broker may have keeps its old id and number, or it could
   * be there twice.
   */
  restartSequences(): void {
    this.nextSequence = 0;
    for (const batch of this.waiting) {
      if (batch.maybeAppended) continue;
      batch.baseSequence = -1;
      batch.encoded = null;
    }
  }
}
