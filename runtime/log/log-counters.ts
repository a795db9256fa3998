// Counters of the log, plain number fields that hot paths add to; telemetry gives them names at the scrape.

export interface TopicCounters {
  bytesIn: number;
  recordsIn: number;
  batchesIn: number;
  bytesOut: number;
}

export class LogCounters {
  readonly topics = new Map<string, TopicCounters>();
  corruptBatches = 0;
  truncatedBytes = 0;
  recoveryMs = 0;
  retentionDeletedBytes = 0;
  /** Called with the duration of each sync and the acknowledgements that waited for it. */
  onFlushed: ((durationMs: number, acknowledgements: number) => void) | undefined;

  appended(topic: string, records: number, bytes: number): void {
    const counters = this.of(topic);
    counters.batchesIn++;
    counters.recordsIn += records;
    counters.bytesIn += bytes;
  }

  fetched(topic: string, bytes: number): void {
    this.of(topic).bytesOut += bytes;
  }

  flushed(durationMs: number, acknowledgements: number): void {
    this.onFlushed?.(durationMs, acknowledgements);
  }

  of(topic: string): TopicCounters {
    let counters = this.topics.get(topic);
    if (counters === undefined) {
      counters = { bytesIn: 0, recordsIn: 0, batchesIn: 0, bytesOut: 0 };
      this.topics.set(topic, counters);
    }
    return counters;
  }
}
