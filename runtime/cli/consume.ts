// `timberline consume TOPIC`: records of all partitions to stdout, in order within each. Bytes are exact in a
// pipe; memory is bounded by the consumer's buffer and one chunk of output.

import type { Admin, Assignment, ConsumedBatch, Consumer } from "../client/mod.ts";
import type { Clock } from "../platform.ts";
import { ByteSink } from "./byte-sink.ts";
import type { Call } from "./commands.ts";
import { withClient } from "./connection.ts";
import { type ConsumeRange, resolveRanges } from "./consume-range.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { type Flags, parsePair } from "./flags.ts";
import { parseFormat } from "./format.ts";
import { compileWriter, type FormatRecord, type RecordWriter } from "./format-write.ts";
import { parseOffsetRange, parsePartitions } from "./offset-spec.ts";
import { formatBytes, formatCounted } from "./output.ts";
import { type Progress, startProgress } from "./progress.ts";
import { recordToJson } from "./record-json.ts";
import type { Shell } from "./shell.ts";
import { formatDurationMs } from "./time-spec.ts";

const ISOLATIONS = ["read_committed", "read_uncommitted"] as const;
const COUNT_RANGE = { min: 1, max: Number.MAX_SAFE_INTEGER };
/** How long a poll waits before the ends are looked at again. */
const POLL_MS = 250;
/** "Go on with" lines after Ctrl-C. */
const RESUME_LINES_MAX = 10;

export async function consume({ shell, args, flags }: Call): Promise<ExitCode> {
  const [topic = ""] = args;
  const output = outputOf(shell, flags);
  const accepts = filterOf(flags);
  const wanted = flags.text("partitions");
  const chosen = wanted === undefined ? null : parsePartitions(wanted);
  const isolation = flags.oneOf("isolation", ISOLATIONS) ?? "read_committed";
  return withClient(shell, async ({ client, platform }) => {
    const range = parseOffsetRange(flags.text("offset") ?? "end", platform.clock.nowMs());
    const stop = range.stop ?? (flags.isSet("exit") ? ({ kind: "end" } as const) : null);
    const admin = client.admin();
    const partitions = await partitionsOf(admin, topic, chosen);
    const ranges = await resolveRanges({
      admin,
      shell,
      topic,
      partitions,
      isolation,
      start: range.start,
      stop,
    });
    const consumer = client.consumer({ isolation });
    const run = new ConsumeRun(shell, platform.clock, {
      topic,
      consumer,
      ranges,
      write: output,
      accepts,
      countMax: flags.integer("count", COUNT_RANGE) ?? Number.POSITIVE_INFINITY,
    });
    return run.toEnd();
  });
}

async function partitionsOf(
  admin: Admin,
  topic: string,
  chosen: readonly number[] | null,
): Promise<number[]> {
  const info = await admin.topic(topic);
  const all = info.partitions.map(({ partition }) => partition);
  const missing = chosen?.find((partition) => !all.includes(partition));
  if (missing === undefined) return chosen === null ? all : [...chosen];
  throw new CliError(`${topic} has no partition ${missing}: it has ${all.length}, from 0 on`, {
    exitCode: ExitCode.usage,
  });
}

function outputOf(shell: Shell, flags: Flags): RecordWriter {
  const format = flags.text("format");
  const isJson = flags.isSet("json") || shell.output === "ndjson" || shell.output === "json";
  if (isJson && format !== undefined) throw usageError("-f and -J both say how a record looks");
  if (isJson) {
    return (record, sink) => {
      sink.text(recordToJson(record));
      sink.byte(10);
    };
  }
  return compileWriter(parseFormat(format ?? "%s\\n"), {
    isTerminal: shell.isOutTerminal,
    ...(flags.isSet("null") ? { nullText: "NULL" } : {}),
  });
}

type Filter = (record: FormatRecord) => boolean;

function filterOf(flags: Flags): Filter | null {
  const utf8 = new TextEncoder();
  const keyText = flags.text("key");
  const key = keyText === undefined ? null : utf8.encode(keyText);
  const headers = flags.list("header").map((text) => {
    const { name, value } = parsePair(text, "--header");
    return { name, value: utf8.encode(value) };
  });
  if (key === null && headers.length === 0) return null;
  return (record) =>
    (key === null || isSame(record.key, key)) &&
    headers.every(({ name, value }) =>
      record.headers.some((header) => header.key === name && isSame(header.value, value)),
    );
}

function isSame(bytes: Uint8Array | null, wanted: Uint8Array): boolean {
  return bytes?.length === wanted.length && bytes.every((byte, i) => byte === wanted[i]);
}

class ConsumeRun {
  readonly #shell: Shell;
  readonly #clock: Clock;
  readonly #topic: string;
  readonly #consumer: Consumer;
  readonly #write: RecordWriter;
  readonly #accepts: Filter | null;
  readonly #countMax: number;
  readonly #ranges: ReadonlyMap<number, ConsumeRange>;
  /** Partitions that have not reached their stop yet. */
  readonly #open: Set<number>;
  /** Offset after the last record written, by partition: where to go on. */
  readonly #next = new Map<number, number>();
  readonly #progress: Progress;
  readonly #startMs: number;
  readonly #sink = new ByteSink();
  #records = 0;
  #bytes = 0;

  constructor(
    shell: Shell,
    clock: Clock,
    parts: {
      topic: string;
      consumer: Consumer;
      ranges: readonly ConsumeRange[];
      write: RecordWriter;
      accepts: Filter | null;
      countMax: number;
    },
  ) {
    this.#shell = shell;
    this.#clock = clock;
    this.#topic = parts.topic;
    this.#consumer = parts.consumer;
    this.#write = parts.write;
    this.#accepts = parts.accepts;
    this.#countMax = parts.countMax;
    this.#ranges = new Map(parts.ranges.map((range) => [range.partition, range]));
    this.#open = new Set(
      parts.ranges
        .filter(({ start, stop }) => stop === null || start < stop)
        .map((r) => r.partition),
    );
    this.#progress = startProgress(shell, clock, "read");
    this.#startMs = clock.monotonicMs();
  }

  async toEnd(): Promise<ExitCode> {
    const assignments = [...this.#open].map((partition): Assignment => {
      return { topic: this.#topic, partition, offset: this.#ranges.get(partition)?.start ?? 0 };
    });
    if (assignments.length > 0) await this.#consumer.assign(assignments);
    this.#shell.signal.addEventListener("abort", () => void this.#consumer.stop(), { once: true });
    while (this.#open.size > 0 && this.#records < this.#countMax && !this.#shell.signal.aborted) {
      const batch = (await this.#consumer.poll(0)) ?? (await this.#waitForBatch());
      if (batch) await this.#batch(batch);
      else this.#closeReached();
    }
    await this.#flush();
    this.#progress.end();
    this.#summary();
    return this.#shell.signal.aborted ? ExitCode.interrupted : ExitCode.done;
  }

  /** What is gathered goes out before the wait: a tail must not lag behind. */
  async #waitForBatch(): Promise<ConsumedBatch | null> {
    await this.#flush();
    return this.#consumer.poll(POLL_MS);
  }

  async #batch(batch: ConsumedBatch): Promise<void> {
    const { partition } = batch;
    if (!this.#open.has(partition)) return;
    const stop = this.#ranges.get(partition)?.stop ?? Number.POSITIVE_INFINITY;
    const [first] = batch;
    const shown: { -readonly [K in keyof FormatRecord]: FormatRecord[K] } = {
      topic: this.#topic,
      partition,
      // Nothing of this batch is written yet.
      offset: (first?.offset ?? batch.nextOffset) - 1,
      timestampMs: 0,
      key: null,
      value: null,
      headers: [],
      leaderEpoch: batch.leaderEpoch,
      attributes: batch.attributes,
      endOffset: batch.highWatermark,
    };
    for (const record of batch) {
      if (record.offset >= stop) break;
      shown.offset = record.offset;
      shown.timestampMs = record.timestampMs;
      shown.key = record.key;
      shown.value = record.value;
      shown.headers = record.headers;
      if (this.#accepts !== null && !this.#accepts(shown)) continue;
      this.#write(shown, this.#sink);
      this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      if (this.#sink.full) await this.#flush();
      if (++this.#records >= this.#countMax) break;
    }
    this.#next.set(partition, shown.offset + 1);
    if (batch.nextOffset >= stop) this.#close(partition);
    this.#progress.update({ records: this.#records, bytes: this.#bytes });
  }

  /** Markers and compaction can leave a partition at its stop without another record. */
  #closeReached(): void {
    for (const partition of this.#open) {
      const { stop = null } = this.#ranges.get(partition) ?? {};
      const position = this.#consumer.position({ topic: this.#topic, partition });
      if (stop !== null && position !== undefined && position >= stop) this.#close(partition);
    }
  }

  #close(partition: number): void {
    this.#open.delete(partition);
    this.#consumer.pause([{ topic: this.#topic, partition }]);
  }

  async #flush(): Promise<void> {
    if (this.#sink.length > 0) await this.#shell.write(this.#sink.take());
  }

  #summary(): void {
    const elapsedMs = this.#clock.monotonicMs() - this.#startMs;
    const count = `${formatCounted(this.#records, "record")}, ${formatBytes(this.#bytes)}`;
    this.#shell.note(`${count} in ${formatDurationMs(elapsedMs)}`);
    if (!this.#shell.signal.aborted) return;
    for (const partition of [...this.#open].slice(0, RESUME_LINES_MAX)) {
      const next = this.#next.get(partition) ?? this.#ranges.get(partition)?.start;
      this.#shell.note(`to go on: timberline consume ${this.#topic} -p ${partition} -o ${next}`);
    }
  }
}
