// The table of metrics: names (without the prefix `timberline_`), types, labels and meaning. What /metrics shows,
// the dashboard and the manual derive from it; a name that is not here is not exposed.

export type MetricType = "counter" | "gauge" | "histogram" | "info";

export interface MetricSpec {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
}

export const METRIC_PREFIX = "timberline_";

const counter = (help: string, ...labels: string[]) => metric("counter", help, labels);
const gauge = (help: string, ...labels: string[]) => metric("gauge", help, labels);
const histogram = (help: string, ...labels: string[]) => metric("histogram", help, labels);

/** Counters and `info` carry their suffix (`_total`, `_info`) here; units stand in the name. */
export const METRICS = {
  broker_info: metric("info", "This broker: its number, rack, runtime and version.", [
    "broker",
    "rack",
    "runtime",
    "runtime_version",
    "version",
  ]),
  uptime_seconds: gauge("Time since the broker was started."),
  topic_bytes_total: counter("Bytes of record batches taken in and handed out.", "topic", "dir"),
  topic_records_total: counter(
    "Records taken in; what is handed out is never opened, so only its bytes are known.",
    "topic",
    "dir",
  ),
  topic_batches_total: counter("Record batches taken in.", "topic", "dir"),
  batch_size_bytes: histogram("Size of the record batches producers sent."),
  request_duration_seconds: histogram("Time from request read to answer queued.", "api", "door"),
  requests_total: counter("Requests answered.", "api", "door"),
  request_errors_total: counter("Requests answered with an error.", "api", "door", "error"),
  inflight_bytes: gauge("Bytes of requests in work."),
  inflight_requests: gauge("Requests in work."),
  waiting_fetches: gauge("Fetches that wait for records."),
  connections: gauge("Open connections.", "door"),
  connections_opened_total: counter("Connections accepted.", "door"),
  connections_closed_total: counter("Connections closed, by reason.", "door", "reason"),
  loop_delay_seconds: histogram("How late the event loop runs a timer."),
  memory_bytes: gauge("Memory of the process.", "kind"),
  partitions: gauge("Partitions with a replica here."),
  leaders: gauge("Partitions led here."),
  offline_partitions: gauge("Partitions here that cannot be written or read, or have no leader."),
  under_replicated_partitions: gauge("Partitions led here some of whose replicas are not in sync."),
  under_min_isr_partitions: gauge(
    "Partitions led here with fewer in-sync replicas than min.insync.replicas: acks=all is refused.",
  ),
  at_min_isr_partitions: gauge("Partitions led here that may lose no further in-sync replica."),
  isr_changes_total: counter("Changes of the in-sync replicas of partitions led here.", "kind"),
  elections_total: counter("Elections that made this broker a leader.", "kind"),
  replica_lag_records: gauge(
    "Records a follower lacks of the partition led here that it is furthest behind in.",
    "follower",
  ),
  controller_active: gauge("1 on the broker that decides for the cluster, 0 on the others."),
  controller_epoch: gauge("Grows by one whenever another broker begins to decide."),
  control_plane_up: gauge("Whether this broker reaches the metadata of the cluster."),
  control_plane_alarm: gauge(
    "1 while this broker takes no changes of the cluster: the log says why, cluster restore may help.",
  ),
  control_plane_age_seconds: gauge("How long its view of the cluster may be behind."),
  log_size_bytes: gauge("Bytes of a topic's segments on this broker.", "topic"),
  log_segments: gauge("Segments of a topic on this broker.", "topic"),
  topic_end_offset: gauge("Sum of the end offsets of a topic's partitions.", "topic"),
  topic_start_offset: gauge("Sum of the start offsets of a topic's partitions.", "topic"),
  disk_free_bytes: gauge("Free bytes of the disk below the data folder.", "dir"),
  disk_total_bytes: gauge("Bytes of the disk below the data folder.", "dir"),
  fsync_duration_seconds: histogram("Time of one sync to disk."),
  fsync_batch_acks: histogram("Appends acknowledged by one sync."),
  corrupt_batches_total: counter("Record batches refused or found with a bad checksum or form."),
  truncated_bytes_total: counter("Bytes cut off by recovery: torn or corrupt ends of logs."),
  recovery_seconds: gauge("Time the last start took to recover the log."),
  retention_deleted_bytes_total: counter("Bytes deleted by retention."),
  cleaner_runs_total: counter("Logs cleaned by compaction."),
  cleaner_read_bytes_total: counter("Bytes that compaction read."),
  cleaner_freed_bytes_total: counter("Bytes that compaction made free."),
  cleaner_dirty_ratio_max: gauge("Largest part of a compacted log that waits to be cleaned."),
  cleaner_uncleanable_partitions: gauge("Compacted logs that cannot be cleaned; the log says why."),
  cleaner_seconds_total: counter("Time compaction took, its rests included."),
  transactions_open: gauge("Transactions that are open now."),
  transaction_oldest_seconds: gauge("Age of the oldest open transaction."),
  transactions_total: counter("Transactions that ended, by result.", "result"),
  limit_hits_total: counter("Times a limit was reached.", "limit"),
  http_request_duration_seconds: histogram("Time of HTTP requests.", "method", "route", "status"),
  sse_streams: gauge("Open event streams."),
  partition_size_bytes: gauge("Bytes of a partition's segments.", "topic", "partition"),
  partition_segments: gauge("Segments of a partition.", "topic", "partition"),
  partition_start_offset: gauge("First offset of a partition.", "topic", "partition"),
  partition_end_offset: gauge("Next offset of a partition.", "topic", "partition"),
  partition_high_watermark: gauge("Offset below which all is committed.", "topic", "partition"),
  groups: gauge("Consumer groups coordinated here."),
  group_members: gauge("Members of a group.", "group"),
  group_lag_records: gauge("Records a group has not read yet, of a topic.", "group", "topic"),
  group_rebalances_total: counter("Rebalances begun, of all groups."),
  group_offset_commits_total: counter("Offsets committed."),
  group_offsets_expired_total: counter("Committed offsets dropped by retention."),
  group_load_seconds: gauge("Time the last start took to read the groups."),
  gateway_info: metric("info", "This gateway: its runtime and version.", [
    "runtime",
    "runtime_version",
    "version",
  ]),
  gateway_upstream_up: gauge("1 while a broker of the upstream cluster answers a gateway, else 0."),
  gateway_feeds: gauge("Partitions a gateway reads once for all who wait at their end."),
  gateway_feed_bytes: gauge("Bytes of their newest batches that it keeps."),
  gateway_upstream_fetches_total: counter("Fetches a gateway sent to the upstream.", "for"),
  gateway_shared_fetches_total: counter("Reads a gateway answered without asking the upstream."),
  metrics_series: gauge("Series in this answer."),
} as const;

export type MetricName = keyof typeof METRICS;

function metric(type: MetricType, help: string, labels: readonly string[]): MetricSpec {
  return { type, help, labels };
}
