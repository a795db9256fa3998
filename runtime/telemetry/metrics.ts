// Metrics: the broker's numbers. Hot paths hold one of the small objects here and add to its plain fields; names
// and labels meet numbers only when somebody scrapes. Gauges that others know best (log sizes, memory, disks) are
// asked for at the scrape, through `MetricSources`.

import type { Clock } from "../platform.ts";
import { BYTES_SCALE, COUNT_SCALE, DURATION_SCALE, Histogram } from "./histogram.ts";
import { LeadershipCounts } from "./leadership-counts.ts";

/** Routes of the HTTP door times methods times status classes; more is a bug in the routes. */
const ROUTES_MAX = 500;
const ERRORS_MAX = 200;
const LOOP_PROBE_MS = 500;

export type Door = "kafka" | "http";

/** One per topic; held by whoever appends to and reads from it. */
export class TopicTraffic {
  bytesIn = 0;
  bytesOut = 0;
  recordsIn = 0;
  batchesIn = 0;

  add(other: TopicTraffic): void {
    this.bytesIn += other.bytesIn;
    this.bytesOut += other.bytesOut;
    this.recordsIn += other.recordsIn;
    this.batchesIn += other.batchesIn;
  }
}

/** One per API and door; held by the API's handler. */
export class ApiMetrics {
  requests = 0;
  readonly duration = new Histogram(DURATION_SCALE);
  readonly errors = new Map<string, number>();

  /** One answered request. `error` is Kafka's name of the error, or undefined. */
  done(durationMs: number, error?: string): void {
    this.requests += 1;
    this.duration.observeMs(durationMs);
    if (error !== undefined) increase(this.errors, error, ERRORS_MAX);
  }
}

export class DoorMetrics {
  connections = 0;
  connectionsTotal = 0;
  readonly closed = new Map<string, number>();

  opened(): void {
    this.connections += 1;
    this.connectionsTotal += 1;
  }

  /** `reason`: a word of ours ("client", "idle", "malformed", "limit", "stop"), never free text. */
  ended(reason: string): void {
    this.connections -= 1;
    increase(this.closed, reason, ERRORS_MAX);
  }
}

export class LoadMetrics {
  inflightBytes = 0;
  inflightRequests = 0;
  waitingFetches = 0;
  sseStreams = 0;
}

export class LogMetrics {
  corruptBatches = 0;
  truncatedBytes = 0;
  recoverySeconds = 0;
  retentionDeletedBytes = 0;
  cleanerRuns = 0;
  cleanerBytesRead = 0;
  cleanerBytesFreed = 0;
  cleanerSeconds = 0;
  /** As the last look found it. */
  cleanerDirtyRatioMax = 0;
  cleanerUncleanable = 0;
  readonly batchSizeBytes = new Histogram(BYTES_SCALE);
  readonly fsyncDuration = new Histogram(DURATION_SCALE);
  readonly fsyncBatchAcks = new Histogram(COUNT_SCALE);
}

export class TransactionMetrics {
  transactionsCommitted = 0;
  transactionsAborted = 0;
  /** Among those aborted. */
  transactionsTimedOut = 0;
}

export class GroupMetrics {
  rebalances = 0;
  offsetCommits = 0;
  offsetExpirations = 0;
  loadMs = 0;
}

export interface TopicGauges {
  readonly topic: string;
  readonly sizeBytes: number;
  readonly segments: number;
  /** Sums over the partitions here. */
  readonly startOffset: number;
  readonly endOffset: number;
}

export interface PartitionGauges {
  readonly partition: number;
  readonly sizeBytes: number;
  readonly segments: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly highWatermark: number;
}

/** `total`, `leaders`, `offline` of the partitions with a replica here, the rest of those led here. */
export interface PartitionCounts {
  readonly total: number;
  readonly leaders: number;
  readonly offline: number;
  readonly underReplicated: number;
  readonly underMinIsr: number;
  readonly atMinIsr: number;
}

/** Of one group. */
export interface GroupGauges {
  readonly group: string;
  readonly members: number;
  /** Records behind, by topic. */
  readonly lags: ReadonlyMap<string, number>;
}

/** Asked at a scrape, never before. */
export interface MetricSources {
  readonly broker: {
    readonly id: number;
    readonly rack: string | null;
    readonly runtime: string;
    readonly runtimeVersion: string;
    readonly version: string;
  };
  /** Bytes by kind: rss, heap, buffers, wasm. */
  memory(): Readonly<Record<string, number>>;
  disks(): readonly { dir: string; freeBytes: number; totalBytes: number }[];
  /** A step of the iteration is a group: many partitions at most. */
  groups(): Iterable<GroupGauges>;
  partitions(): PartitionCounts;
  controlPlane(): {
    readonly isController: boolean;
    readonly controllerEpoch: number;
    readonly isConnected: boolean;
    readonly ageMs: number;
    readonly alarm: string | null;
  };
  /** Per follower, how many records it lacks at most of a partition led here. */
  replicaLags(): ReadonlyMap<number, number>;
  topics(): Iterable<TopicGauges>;
  /** Open ones, and the age of the oldest; 0 if there is none. */
  transactions(): { open: number; oldestMs: number };
  /** Undefined for an unknown topic. */
  partitionsOf(topic: string): Iterable<PartitionGauges> | undefined;
}

export class Metrics {
  readonly clock: Clock;
  readonly startedMs: number;
  readonly load = new LoadMetrics();
  readonly log = new LogMetrics();
  readonly groups = new GroupMetrics();
  readonly leadership = new LeadershipCounts();
  readonly transactions = new TransactionMetrics();
  readonly loopDelay = new Histogram(DURATION_SCALE);
  readonly doors: { readonly [door in Door]: DoorMetrics } = {
    kafka: new DoorMetrics(),
    http: new DoorMetrics(),
  };
  readonly topics = new Map<string, TopicTraffic>();
  /** What deleted topics had, so that sums stay exact. */
  readonly retired = new TopicTraffic();
  readonly apis = new Map<string, { api: string; door: Door; metrics: ApiMetrics }>();
  readonly routes = new Map<string, { labels: readonly string[]; duration: Histogram }>();
  readonly limitHits = new Map<string, number>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.startedMs = clock.monotonicMs();
  }

  /** Requests answered so far, by both doors. */
  get requests(): number {
    let sum = 0;
    for (const { metrics } of this.apis.values()) sum += metrics.requests;
    for (const { duration } of this.routes.values()) sum += duration.count;
    return sum;
  }

  topic(name: string): TopicTraffic {
    let traffic = this.topics.get(name);
    if (!traffic) {
      traffic = new TopicTraffic();
      this.topics.set(name, traffic);
    }
    return traffic;
  }

  /** The topic is deleted: its name goes, its counts stay in the sums. */
  forgetTopic(name: string): void {
    const traffic = this.topics.get(name);
    if (!traffic) return;
    this.retired.add(traffic);
    this.topics.delete(name);
  }

  api(api: string, door: Door): ApiMetrics {
    const key = `${door} ${api}`;
    let entry = this.apis.get(key);
    if (!entry) {
      entry = { api, door, metrics: new ApiMetrics() };
      this.apis.set(key, entry);
    }
    return entry.metrics;
  }

  /** One HTTP request; `route` is the pattern ("/v1/topics/:topic"), never the path. */
  httpRequest(request: {
    method: string;
    route: string;
    status: number;
    durationMs: number;
  }): void {
    const labels = [request.method, request.route, `${Math.floor(request.status / 100)}xx`];
    const key = labels.join(" ");
    let entry = this.routes.get(key);
    if (!entry) {
      if (this.routes.size >= ROUTES_MAX) return;
      entry = { labels, duration: new Histogram(DURATION_SCALE) };
      this.routes.set(key, entry);
    }
    entry.duration.observeMs(request.durationMs);
  }

  /** `limit`: the config key or a constant's name, never free text. */
  limitHit(limit: string): void {
    increase(this.limitHits, limit, ERRORS_MAX);
  }

  /** Measures the event loop until the returned function is called. */
  probeLoop(): () => void {
    let due = this.clock.monotonicMs() + LOOP_PROBE_MS;
    let timer = this.clock.after(LOOP_PROBE_MS, probe);
    const metrics = this;
    function probe(): void {
      const now = metrics.clock.monotonicMs();
      metrics.loopDelay.observeMs(Math.max(0, now - due));
      due = now + LOOP_PROBE_MS;
      timer = metrics.clock.after(LOOP_PROBE_MS, probe);
    }
    return () => timer.cancel();
  }
}

function increase(counts: Map<string, number>, name: string, namesMax: number): void {
  const count = counts.get(name);
  if (count === undefined && counts.size >= namesMax) return;
  counts.set(name, (count ?? 0) + 1);
}
