// `timberline produce TOPIC [FILE]`: records into a topic, as fast as the broker acknowledges them and no faster
// than memory allows. The bytes of a value are sent as they stand in the input.

import type {
  OutgoingHeader,
  OutgoingRecord,
  Producer,
  ProducerOptions,
  SentRange,
} from "../client/mod.ts";
import { codecWords } from "../compression/codecs.ts";
import type { Clock, Timer } from "../platform.ts";
import type { Call } from "./commands.ts";
import { type Connection, withClient } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { type Flags, parsePair } from "./flags.ts";
import type { InputRecord } from "./input-field.ts";
import { formatBytes, formatCount, formatCounted } from "./output.ts";
import { openProduceInput, type ProduceInput } from "./produce-input.ts";
import { type Progress, startProgress } from "./progress.ts";
import { exitCodeOf } from "./report.ts";
import { aborted, type Shell } from "./shell.ts";
import { formatDurationMs } from "./time-spec.ts";

const COUNT_RANGE = { min: 1, max: Number.MAX_SAFE_INTEGER };
const PARTITION_RANGE = { min: 0, max: 2 ** 31 - 1 };
const BATCH_BYTES_DEFAULT = 500_000;
const LINGER_MS_DEFAULT = 5;
/** Records handed to the producer at once: few promises, and acknowledgements that still flow. */
const GROUP_RECORDS = 500;
const GROUP_BYTES = 256 * 1024;
/** Batch and record headers that `max.message.bytes` counts as well. */
const BATCH_OVERHEAD_BYTES = 1024;

export async function produce({ shell, args, flags }: Call): Promise<ExitCode> {
  const [topic, file] = args;
  const plan = planOf(flags, topic);
  const input = await openProduceInput(flags, file);
  return withClient(shell, async (connection) => {
    const options = await producerOptions(flags, topic, connection);
    const producer = connection.client.producer(options);
    const run = new ProduceRun(shell, connection.platform.clock, { producer, input, plan });
    return run.toEnd();
  });
}

/** What the flags say of every record. */
interface ProducePlan {
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly key: string | undefined;
  readonly headers: readonly OutgoingHeader[];
  readonly countMax: number;
  readonly skip: number;
  readonly ratePerSecond: number | undefined;
}

function planOf(flags: Flags, topic: string | undefined): ProducePlan {
  const namesTopic = flags.text("from") !== undefined || /%t/.test(flags.text("format") ?? "");
  if (topic === undefined && !namesTopic) {
    throw usageError(
      "no topic given",
      "timberline produce TOPIC [FILE]",
      "or an input that names it: %t in -f, or --from",
    );
  }
  if (flags.text("key") !== undefined && flags.text("keyPath") !== undefined) {
    throw usageError("--key and --key-path both give the key");
  }
  const hasValue = flags.text("value") !== undefined;
  return {
    topic,
    partition: flags.integer("partition", PARTITION_RANGE),
    key: flags.text("key"),
    headers: flags.list("header").map((text) => {
      const { name, value } = parsePair(text, "--header");
      return { key: name, value };
    }),
    countMax: flags.integer("count", COUNT_RANGE) ?? (hasValue ? 1 : Number.POSITIVE_INFINITY),
    skip: flags.integer("skip", { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
    ratePerSecond: flags.integer("rate", COUNT_RANGE),
  };
}

async function producerOptions(
  flags: Flags,
  topic: string | undefined,
  connection: Connection,
): Promise<ProducerOptions> {
  const acks = { all: -1, "-1": -1, "1": 1, "0": 0 } as const;
  const asked = flags.integer("batchBytes", { min: 1, max: 100_000_000 });
  const batchBytes = asked ?? (await fittingBatchBytes(topic, connection));
  return {
    acks: acks[flags.oneOf("acks", ["all", "-1", "1", "0"]) ?? "all"],
    compression: flags.oneOf("codec", codecWords) ?? "none",
    batchBytes,
    ...(asked === undefined ? {} : { requestBytesMax: Math.max(asked * 2, 1024 * 1024) }),
    lingerMs: flags.durationMs("linger") ?? LINGER_MS_DEFAULT,
  };
}

/** The default size of a batch, or less where the topic takes less. */
async function fittingBatchBytes(
  topic: string | undefined,
  { client }: Connection,
): Promise<number> {
  if (topic === undefined) return BATCH_BYTES_DEFAULT;
  try {
    const names = ["max.message.bytes"];
    const [entry] = await client.admin().describeConfigs({ kind: "topic", name: topic }, { names });
    const max = Number(entry?.value ?? BATCH_BYTES_DEFAULT) - BATCH_OVERHEAD_BYTES;
    return Math.max(1, Math.min(BATCH_BYTES_DEFAULT, max));
  } catch (error) {
    // A topic that is not there yet is created by the first record, where the broker allows it.
    if (exitCodeOf(error) === ExitCode.unreachable) throw error;
    return BATCH_BYTES_DEFAULT;
  }
}

interface Acknowledged {
  count: number;
  firstOffset: number;
  lastOffset: number;
}

class ProduceRun {
  readonly #shell: Shell;
  readonly #clock: Clock;
  readonly #producer: Producer;
  readonly #input: ProduceInput;
  readonly #plan: ProducePlan;
  readonly #progress: Progress;
  readonly #startMs: number;
  readonly #interrupted: Promise<void>;
  readonly #partitions = new Map<string, Acknowledged>();
  #group: OutgoingRecord[] = [];
  #groupBytes = 0;
  #read = 0;
  #sent = 0;
  #acknowledged = 0;
  #bytes = 0;
  #failure: unknown;

  constructor(
    shell: Shell,
    clock: Clock,
    parts: { producer: Producer; input: ProduceInput; plan: ProducePlan },
  ) {
    this.#shell = shell;
    this.#clock = clock;
    this.#producer = parts.producer;
    this.#input = parts.input;
    this.#plan = parts.plan;
    this.#progress = startProgress(shell, clock, "sent");
    this.#startMs = clock.monotonicMs();
    this.#interrupted = aborted(shell.signal);
  }

  async toEnd(): Promise<ExitCode> {
    try {
      await this.#sendAll();
    } catch (error) {
      this.#failure ??= error;
    }
    this.#sendGroup();
    await this.#producer.flush();
    this.#progress.end();
    await this.#summary();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#shell.signal.aborted ? ExitCode.interrupted : ExitCode.done;
  }

  async #sendAll(): Promise<void> {
    for await (const records of untilEnd(this.#input.groups(), this.#interrupted)) {
      for (const record of records) {
        if (this.#sent >= this.#plan.countMax) return;
        if (++this.#read <= this.#plan.skip) continue;
        this.#add(record);
        if (this.#isGroupFull()) await this.#pass();
        if (this.#failure !== undefined || this.#shell.signal.aborted) return;
      }
      await this.#pass();
    }
  }

  /** A slow rate sends each record when it is due, not in groups. */
  #isGroupFull(): boolean {
    if (this.#groupBytes >= GROUP_BYTES || this.#group.length >= GROUP_RECORDS) return true;
    const { ratePerSecond } = this.#plan;
    return ratePerSecond !== undefined && this.#group.length >= Math.max(1, ratePerSecond / 100);
  }

  async #pass(): Promise<void> {
    this.#sendGroup();
    await this.#producer.ready();
    if (this.#plan.ratePerSecond !== undefined) await this.#pace(this.#plan.ratePerSecond);
    const fraction = this.#input.fraction();
    this.#progress.update({ records: this.#acknowledged, bytes: this.#bytes, fraction });
  }

  #add(record: InputRecord): void {
    const { topic, partition, key, headers } = this.#plan;
    const target = topic ?? record.topic;
    if (target === null) throw new CliError(`record ${this.#read} of the input names no topic`);
    const chosen = partition ?? record.partition;
    const { timestampMs } = record;
    this.#group.push({
      topic: target,
      key: key ?? record.key,
      value: record.value,
      ...(chosen === null ? {} : { partition: chosen }),
      ...(timestampMs === null ? {} : { timestampMs }),
      ...(headers.length + record.headers.length === 0
        ? {}
        : { headers: [...record.headers, ...headers] }),
    });
    const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
    this.#groupBytes += bytes;
    this.#bytes += bytes;
    this.#sent++;
  }

  #sendGroup(): void {
    if (this.#group.length === 0) return;
    const group = this.#group;
    this.#group = [];
    this.#groupBytes = 0;
    this.#producer.sendBatch(group).then(
      (ranges) => this.#count(ranges),
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
  }

  #count(ranges: readonly SentRange[]): void {
    for (const { topic, partition, offset, count } of ranges) {
      this.#acknowledged += count;
      const place = `${topic}\u0000${partition}`;
      const known = this.#partitions.get(place);
      if (!known) {
        this.#partitions.set(place, { count, firstOffset: offset, lastOffset: offset + count - 1 });
        continue;
      }
      known.count += count;
      known.firstOffset = Math.min(known.firstOffset, offset);
      known.lastOffset = Math.max(known.lastOffset, offset + count - 1);
    }
  }

  /** Waits until as much time has passed as the records sent may take. */
  async #pace(ratePerSecond: number): Promise<void> {
    const dueMs = this.#startMs + (this.#sent / ratePerSecond) * 1000;
    const waitMs = dueMs - this.#clock.monotonicMs();
    if (waitMs <= 1) return;
    let timer: Timer | undefined;
    const due = new Promise<void>((resolve) => {
      timer = this.#clock.after(waitMs, resolve, { keepAlive: true });
    });
    await Promise.race([due, this.#interrupted]);
    timer?.cancel();
  }

  async #summary(): Promise<void> {
    const elapsedMs = this.#clock.monotonicMs() - this.#startMs;
    if (this.#shell.output !== "table" && this.#shell.output !== "wide")
      await this.#printResult(elapsedMs);
    const seconds = Math.max(elapsedMs, 1) / 1000;
    const rate = `${formatCount(Math.round(this.#acknowledged / seconds))}/s, ${formatBytes(this.#bytes / seconds)}/s`;
    const count = `${formatCounted(this.#acknowledged, "record")} acknowledged`;
    this.#shell.note(
      `${count}, ${formatBytes(this.#bytes)} in ${formatDurationMs(elapsedMs)} (${rate})`,
    );
    const isCut = this.#shell.signal.aborted || this.#failure !== undefined;
    if (isCut && this.#failure === undefined && this.#plan.countMax !== 1) {
      this.#shell.note(
        `to go on with the rest of the same input: --skip ${this.#plan.skip + this.#acknowledged}`,
      );
    }
  }

  #printResult(elapsedMs: number): Promise<void> {
    const partitions = [...this.#partitions].map(([place, acknowledged]) => {
      const [topic, partition] = place.split("\u0000");
      return { topic, partition: Number(partition), ...acknowledged };
    });
    const result = {
      records: this.#acknowledged,
      bytes: this.#bytes,
      elapsedMs: Math.round(elapsedMs),
      partitions,
    };
    return this.#shell.write(`${JSON.stringify(result)}\n`);
  }
}

/** Ends early with `end`, also while the input is silent. */
async function* untilEnd<T>(source: AsyncIterable<T>, end: Promise<void>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const ended = end.then((): IteratorResult<T> => ({ done: true, value: undefined }));
  for (;;) {
    const next = await Promise.race([iterator.next(), ended]);
    if (next.done) return;
    yield next.value;
  }
}
