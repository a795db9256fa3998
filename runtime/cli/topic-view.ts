// `topic list describe offsets`: what topics there are and what they hold. Reads only.

import type { Admin, OffsetSpec, PartitionOffset, TopicInfo } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { withAdmin } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { type Column, formatBytes, formatCount, printRows, type Row } from "./output.ts";
import { thePlatform } from "./platform.ts";
import { formatTimeIso, parseTimeMs } from "./time-spec.ts";

const BYTES_COLUMN: Column = {
  key: "bytes",
  title: "size",
  align: "right",
  show: (value) => (typeof value === "number" ? formatBytes(value) : "-"),
};
const SORTS = ["name", "partitions", "records", "bytes"] as const;

export async function topicList({ shell, flags }: Call): Promise<undefined> {
  const filter = regexOf(flags.text("filter"));
  const sort = flags.oneOf("sort", SORTS) ?? "name";
  const rows = await withAdmin(shell, async (admin) => {
    const all = await admin.topics();
    const topics = all
      .filter((topic) => flags.isSet("internal") || !topic.isInternal)
      .filter((topic) => filter?.test(topic.name) ?? true);
    const [records, sizes] = await Promise.all([recordCounts(admin, topics), topicSizes(admin)]);
    return topics.map((topic) => listRow(topic, records, sizes));
  });
  const columns = [
    { key: "name" },
    { key: "partitions" },
    { key: "replicas" },
    { key: "records", align: "right", show: (value) => formatCount(Number(value)) },
    BYTES_COLUMN,
    { key: "id", isWide: true },
  ] satisfies Column[];
  await printRows(
    shell,
    columns,
    rows.sort((a, b) => compareBy(sort, a, b)),
  );
}

export async function topicDescribe({ shell, args }: Call): Promise<undefined> {
  await withAdmin(shell, async (admin) => {
    const topics = await admin.topics(args);
    const [offsets, sizes] = await Promise.all([bounds(admin, topics), partitionSizes(admin)]);
    const rows = topics.flatMap((topic) => describeRows(topic, offsets, sizes));
    if (shell.output === "table" || shell.output === "wide") {
      for (const topic of topics) shell.note(await headline(admin, topic));
    }
    const columns = [
      ...["topic", "partition", "leader"].map((key) => ({ key })),
      { key: "leaderEpoch", title: "epoch" },
      ...["replicas", "isr"].map((key) => ({ key })),
      { key: "startOffset", title: "start" },
      { key: "endOffset", title: "end" },
      BYTES_COLUMN,
      { key: "error" },
    ];
    await printRows(shell, columns, rows);
  });
}

export async function topicOffsets({ shell, args, flags }: Call): Promise<ExitCode> {
  const at = flags.text("at");
  const timestampMs = at === undefined ? undefined : parseTimeMs(at, thePlatform().clock.nowMs());
  const rows = await withAdmin(shell, async (admin) => {
    const topics = await admin.topics(args);
    if (timestampMs !== undefined) return offsetsAt(admin, topics, timestampMs);
    const offsets = await bounds(admin, topics);
    return topics.flatMap((topic) =>
      topic.partitions.map(({ partition }) => boundsRow(topic.name, partition, offsets)),
    );
  });
  const keys = at === undefined ? ["startOffset", "endOffset", "records"] : ["offset"];
  const time: Column = {
    key: "timestamp",
    align: "left",
    show: (value) => (typeof value === "number" ? formatTimeIso(value) : "-"),
  };
  const columns = [
    ...["topic", "partition", ...keys].map((key) => ({ key })),
    ...(at === undefined ? [] : [time]),
    { key: "error" },
  ];
  await printRows(shell, columns, rows);
  return rows.some((row) => row.error !== null) ? ExitCode.failed : ExitCode.done;
}

/** Earliest and latest offsets of all partitions, by `topic-partition`. */
interface Bounds {
  readonly earliest: ReadonlyMap<string, PartitionOffset>;
  readonly latest: ReadonlyMap<string, PartitionOffset>;
}

async function bounds(admin: Admin, topics: readonly TopicInfo[]): Promise<Bounds> {
  const [earliest, latest] = await Promise.all([
    offsetsOf(admin, topics, "earliest"),
    offsetsOf(admin, topics, "latest"),
  ]);
  return { earliest, latest };
}

async function offsetsOf(
  admin: Admin,
  topics: readonly TopicInfo[],
  spec: OffsetSpec,
): Promise<Map<string, PartitionOffset>> {
  const asked = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition, spec })),
  );
  const offsets = asked.length === 0 ? [] : await admin.listOffsets(asked);
  return new Map(offsets.map((offset) => [placeOf(offset.topic, offset.partition), offset]));
}

function boundsRow(
  topic: string,
  partition: number,
  { earliest, latest }: Bounds,
): Row & { error: string | null } {
  const place = placeOf(topic, partition);
  const first = earliest.get(place);
  const last = latest.get(place);
  const error = first?.error ?? last?.error ?? null;
  return {
    topic,
    partition,
    startOffset: error ? null : (first?.offset ?? null),
    endOffset: error ? null : (last?.offset ?? null),
    records: error ? null : (last?.offset ?? 0) - (first?.offset ?? 0),
    error: error?.code ?? null,
  };
}

async function offsetsAt(
  admin: Admin,
  topics: readonly TopicInfo[],
  timestampMs: number,
): Promise<(Row & { error: string | null })[]> {
  const found = await offsetsOf(admin, topics, { timestampMs });
  return [...found.values()].map(({ topic, partition, offset, timestampMs: time, error }) => ({
    topic,
    partition,
    offset: offset < 0 ? null : offset,
    timestamp: time < 0 ? null : time,
    error: error?.code ?? null,
  }));
}

/** An upper bound: compaction and transaction markers leave offsets without a record. */
async function recordCounts(
  admin: Admin,
  topics: readonly TopicInfo[],
): Promise<Map<string, number>> {
  const { earliest, latest } = await bounds(admin, topics);
  const counts = new Map<string, number>();
  for (const [place, { topic, offset, error }] of latest) {
    const start = earliest.get(place);
    if (error || !start || start.error) continue;
    counts.set(topic, (counts.get(topic) ?? 0) + offset - start.offset);
  }
  return counts;
}

async function topicSizes(admin: Admin): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { topic, sizeBytes } of (await admin.logDirs()).flatMap((dir) => dir.partitions)) {
    sizes.set(topic, (sizes.get(topic) ?? 0) + sizeBytes);
  }
  return sizes;
}

async function partitionSizes(admin: Admin): Promise<Map<string, number>> {
  const partitions = (await admin.logDirs()).flatMap((dir) => dir.partitions);
  return new Map(
    partitions.map(({ topic, partition, sizeBytes }) => [placeOf(topic, partition), sizeBytes]),
  );
}

function listRow(
  topic: TopicInfo,
  records: ReadonlyMap<string, number>,
  sizes: ReadonlyMap<string, number>,
): Row {
  return {
    name: topic.name,
    partitions: topic.partitions.length,
    replicas: topic.partitions[0]?.replicas.length ?? 0,
    records: records.get(topic.name) ?? 0,
    bytes: sizes.get(topic.name) ?? 0,
    id: topic.id,
  };
}

function describeRows(
  topic: TopicInfo,
  offsets: Bounds,
  sizes: ReadonlyMap<string, number>,
): Row[] {
  return topic.partitions.map(({ partition, leader, leaderEpoch, replicas, isr }) => ({
    ...boundsRow(topic.name, partition, offsets),
    leader,
    leaderEpoch,
    replicas,
    isr,
    bytes: sizes.get(placeOf(topic.name, partition)) ?? null,
  }));
}

async function headline(admin: Admin, topic: TopicInfo): Promise<string> {
  const configs = await admin.describeConfigs({ kind: "topic", name: topic.name });
  const set = configs.filter((entry) => entry.source === "DYNAMIC_TOPIC_CONFIG");
  const values = set.map(({ name, value }) => `${name}=${value}`);
  return [`${topic.name}  id ${topic.id}`, ...values].join("  ");
}

function compareBy(sort: (typeof SORTS)[number], a: Row, b: Row): number {
  const [left, right] = [a[sort], b[sort]];
  // Names from A on, sizes from the largest.
  if (typeof left === "number" && typeof right === "number" && left !== right) return right - left;
  return String(a.name) < String(b.name) ? -1 : 1;
}

function regexOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text);
  } catch (cause) {
    if (cause instanceof Error) throw usageError(`--filter: ${cause.message}`);
    throw new CliError(`--filter: "${text}" is not a regular expression`);
  }
}

function placeOf(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}
