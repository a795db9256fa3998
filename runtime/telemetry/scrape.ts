// A scrape: the broker's numbers as text. Worked off in slices between which the event loop turns, and kept for a
// second, so that many scrapers cost one. Only the busiest topics are named; the rest is summed up as `other`.

import type { Clock } from "../platform.ts";
import { writeCluster } from "./cluster-samples.ts";
import {
  CONTENT_TYPES,
  chooseFormat,
  type ExpositionFormat,
  ExpositionWriter,
} from "./exposition.ts";
import {
  type GroupGauges,
  type MetricSources,
  type Metrics,
  type TopicGauges,
  TopicTraffic,
} from "./metrics.ts";

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

const CACHE_MS = 1000;
const TOPICS_MAX = 200;
const GROUPS_MAX = 200;
/** Steps between two turns of the event loop: about 2 ms of work. */
const STEPS_PER_TURN = 400;
const OTHER = "other";
const TRAFFIC = [
  ["topic_bytes_total", "in", "bytesIn"],
  ["topic_bytes_total", "out", "bytesOut"],
  ["topic_records_total", "in", "recordsIn"],
  ["topic_batches_total", "in", "batchesIn"],
] as const;
const GAUGES = [
  ["log_size_bytes", "sizeBytes"],
  ["log_segments", "segments"],
  ["topic_end_offset", "endOffset"],
  ["topic_start_offset", "startOffset"],
] as const;
const PARTITION_GAUGES = [
  ["partition_size_bytes", "sizeBytes"],
  ["partition_segments", "segments"],
  ["partition_start_offset", "startOffset"],
  ["partition_end_offset", "endOffset"],
  ["partition_high_watermark", "highWatermark"],
] as const;

type Steps = Generator<undefined, void>;

export class Scraper {
  readonly #metrics: Metrics;
  readonly #sources: MetricSources;
  readonly #topicsMax: number;
  readonly #cache = new Map<ExpositionFormat, { untilMs: number; answer: Promise<Exposition> }>();

  constructor(metrics: Metrics, sources: MetricSources, options: { topicsMax?: number } = {}) {
    this.#metrics = metrics;
    this.#sources = sources;
    this.#topicsMax = options.topicsMax ?? TOPICS_MAX;
  }

  /** All metrics, in the format the Accept header asks for. */
  exposition(accept?: string | null): Promise<Exposition> {
    const format = chooseFormat(accept);
    const { clock } = this.#metrics;
    const cached = this.#cache.get(format);
    if (cached && clock.monotonicMs() < cached.untilMs) return cached.answer;
    const answer = written(new ExpositionWriter(format), clock, (to) => this.#all(to));
    this.#cache.set(format, { untilMs: clock.monotonicMs() + CACHE_MS, answer });
    answer.catch(() => this.#cache.delete(format));
    return answer;
  }

  /** One topic's partitions; undefined if the topic is unknown. */
  detail(topic: string, accept?: string | null): Promise<Exposition> | undefined {
    const partitions = this.#sources.partitionsOf(topic);
    if (!partitions) return undefined;
    const rows = [...partitions];
    const { clock } = this.#metrics;
    return written(new ExpositionWriter(chooseFormat(accept)), clock, function* (to): Steps {
      for (const [name, field] of PARTITION_GAUGES) {
        for (const row of rows) {
          to.sample(name, row[field], topic, String(row.partition));
          yield;
        }
      }
    });
  }

  *#all(to: ExpositionWriter): Steps {
    this.#broker(to);
    yield* this.#traffic(to);
    yield* this.#requests(to);
    this.#load(to);
    yield* this.#logs(to);
    this.#storage(to);
    yield* this.#http(to);
    yield* this.#groups(to);
    to.sample("metrics_series", to.series + 1);
  }

  #broker(to: ExpositionWriter): void {
    const { id, rack, runtime, runtimeVersion, version } = this.#sources.broker;
    to.sample("broker_info", 1, String(id), rack ?? "", runtime, runtimeVersion, version);
    const { clock, startedMs } = this.#metrics;
    to.sample("uptime_seconds", Math.round(clock.monotonicMs() - startedMs) / 1000);
  }

  *#traffic(to: ExpositionWriter): Steps {
    const rows = this.#namedTraffic();
    for (const [name, dir, field] of TRAFFIC) {
      for (const [topic, traffic] of rows) {
        to.sample(name, traffic[field], topic, dir);
        yield;
      }
    }
  }

  *#requests(to: ExpositionWriter): Steps {
    const apis = [...this.#metrics.apis.values()].filter(({ metrics }) => metrics.requests > 0);
    for (const { api, door, metrics } of apis) {
      to.histogram("request_duration_seconds", metrics.duration, api, door);
      yield;
    }
    for (const { api, door, metrics } of apis) {
      to.sample("requests_total", metrics.requests, api, door);
    }
    for (const { api, door, metrics } of apis) {
      for (const [error, count] of metrics.errors) {
        to.sample("request_errors_total", count, api, door, error);
      }
    }
  }

  #load(to: ExpositionWriter): void {
    const { load, doors, loopDelay } = this.#metrics;
    to.sample("inflight_bytes", load.inflightBytes);
    to.sample("inflight_requests", load.inflightRequests);
    to.sample("waiting_fetches", load.waitingFetches);
    const entries = Object.entries(doors);
    for (const [door, each] of entries) to.sample("connections", each.connections, door);
    for (const [door, each] of entries)
      to.sample("connections_opened_total", each.connectionsTotal, door);
    for (const [door, each] of entries) {
      for (const [reason, count] of each.closed) {
        to.sample("connections_closed_total", count, door, reason);
      }
    }
    to.histogram("loop_delay_seconds", loopDelay);
    for (const [kind, bytes] of Object.entries(this.#sources.memory())) {
      to.sample("memory_bytes", bytes, kind);
    }
  }

  *#logs(to: ExpositionWriter): Steps {
    writeCluster(to, this.#sources, this.#metrics.leadership);
    const rows = this.#namedGauges();
    for (const [name, field] of GAUGES) {
      for (const row of rows) {
        to.sample(name, row[field], row.topic);
        yield;
      }
    }
  }

  #storage(to: ExpositionWriter): void {
    const { log, limitHits } = this.#metrics;
    const disks = this.#sources.disks().filter(({ totalBytes }) => Number.isFinite(totalBytes));
    for (const disk of disks) to.sample("disk_free_bytes", disk.freeBytes, disk.dir);
    for (const disk of disks) to.sample("disk_total_bytes", disk.totalBytes, disk.dir);
    to.histogram("batch_size_bytes", log.batchSizeBytes);
    to.histogram("fsync_duration_seconds", log.fsyncDuration);
    to.histogram("fsync_batch_acks", log.fsyncBatchAcks);
    to.sample("corrupt_batches_total", log.corruptBatches);
    to.sample("truncated_bytes_total", log.truncatedBytes);
    to.sample("recovery_seconds", log.recoverySeconds);
    to.sample("retention_deleted_bytes_total", log.retentionDeletedBytes);
    to.sample("cleaner_runs_total", log.cleanerRuns);
    to.sample("cleaner_read_bytes_total", log.cleanerBytesRead);
    to.sample("cleaner_freed_bytes_total", log.cleanerBytesFreed);
    to.sample("cleaner_dirty_ratio_max", log.cleanerDirtyRatioMax);
    to.sample("cleaner_uncleanable_partitions", log.cleanerUncleanable);
    to.sample("cleaner_seconds_total", log.cleanerSeconds);
    const { open, oldestMs } = this.#sources.transactions();
    to.sample("transactions_open", open);
    to.sample("transaction_oldest_seconds", oldestMs / 1000);
    const { transactions } = this.#metrics;
    to.sample("transactions_total", transactions.transactionsCommitted, "committed");
    to.sample(
      "transactions_total",
      transactions.transactionsAborted - transactions.transactionsTimedOut,
      "aborted",
    );
    to.sample("transactions_total", transactions.transactionsTimedOut, "timed-out");
    for (const [limit, count] of limitHits) to.sample("limit_hits_total", count, limit);
  }

  *#http(to: ExpositionWriter): Steps {
    for (const { labels, duration } of this.#metrics.routes.values()) {
      to.histogram("http_request_duration_seconds", duration, ...labels);
      yield;
    }
    to.sample("sse_streams", this.#metrics.load.sseStreams);
  }

  /** The first groups by name, the rest in one. */
  *#groups(to: ExpositionWriter): Steps {
    const rows: GroupGauges[] = [];
    const other = { group: OTHER, members: 0, lags: new Map([[OTHER, 0]]) };
    let count = 0;
    for (const gauges of this.#sources.groups()) {
      count++;
      if (rows.length < GROUPS_MAX) rows.push(gauges);
      else {
        other.members += gauges.members;
        const lag = [...gauges.lags.values()].reduce((sum, each) => sum + each, 0);
        other.lags.set(OTHER, (other.lags.get(OTHER) ?? 0) + lag);
      }
      yield;
    }
    if (count > rows.length) rows.push(other);
    to.sample("groups", count);
    for (const { group, members } of rows) to.sample("group_members", members, group);
    for (const { group, lags } of rows) {
      for (const [topic, lag] of lags) to.sample("group_lag_records", lag, group, topic);
      yield;
    }
    const { groups } = this.#metrics;
    to.sample("group_rebalances_total", groups.rebalances);
    to.sample("group_offset_commits_total", groups.offsetCommits);
    to.sample("group_offsets_expired_total", groups.offsetExpirations);
    to.sample("group_load_seconds", groups.loadMs / 1000);
  }

  /** The busiest topics by name, then all the rest, deleted ones included, in one. */
  #namedTraffic(): [string, TopicTraffic][] {
    const { topics, retired } = this.#metrics;
    const named = this.#busiest();
    const other = new TopicTraffic();
    other.add(retired);
    const rows: [string, TopicTraffic][] = [];
    for (const [topic, traffic] of topics) {
      if (named.has(topic)) rows.push([topic, traffic]);
      else other.add(traffic);
    }
    return hasTraffic(other) ? [...rows, [OTHER, other]] : rows;
  }

  #namedGauges(): TopicGauges[] {
    const named = this.#busiest();
    const other = { topic: OTHER, sizeBytes: 0, segments: 0, startOffset: 0, endOffset: 0 };
    const rows: TopicGauges[] = [];
    for (const gauges of this.#sources.topics()) {
      if (named.has(gauges.topic)) {
        rows.push(gauges);
        continue;
      }
      for (const [, field] of GAUGES) other[field] += gauges[field];
    }
    return other.segments > 0 ? [...rows, other] : rows;
  }

  #busiest(): ReadonlySet<string> {
    const names = new Set(this.#metrics.topics.keys());
    for (const { topic } of this.#sources.topics()) names.add(topic);
    // A topic may be called so: then it is part of the rest.
    names.delete(OTHER);
    if (names.size <= this.#topicsMax) return names;
    const ranked = [...names].sort((a, b) => this.#bytes(b) - this.#bytes(a) || (a < b ? -1 : 1));
    return new Set(ranked.slice(0, this.#topicsMax));
  }

  #bytes(topic: string): number {
    const traffic = this.#metrics.topics.get(topic);
    return traffic ? traffic.bytesIn + traffic.bytesOut : 0;
  }
}

function hasTraffic(traffic: TopicTraffic): boolean {
  return traffic.bytesIn > 0 || traffic.bytesOut > 0;
}

async function written(
  writer: ExpositionWriter,
  clock: Clock,
  run: (to: ExpositionWriter) => Steps,
): Promise<Exposition> {
  const steps = run(writer);
  for (let step = 1; !steps.next().done; step++) {
    if (step % STEPS_PER_TURN === 0) await new Promise<void>((resume) => clock.soon(resume));
  }
  return { contentType: CONTENT_TYPES[writer.format], body: writer.end() };
}
