// Stand-ins for the door's tests: a connection whose other end is the test, a broker that answers from memory,
// a clock that the test moves, and frame memory that really moves when it grows.

import type { ClusterState, TopicRecord } from "../../../cluster/control-plane.ts";
import { newPartition } from "../../../cluster/partition-record.ts";
import type {
  Appended,
  AppendRequest,
  Broker,
  FetchedPartition,
  FetchRequest,
} from "../../../runtime/broker.ts";
import { readRequestPrefix, writeRequestHeader } from "../../../runtime/kafka/headers.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import type { Api } from "../../../runtime/kafka/schema.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import type { Connection, Platform, Timer } from "../../../runtime/platform.ts";
import type { Core } from "../../../storage-wasm/core.ts";
import { concat, joined } from "./bytes.ts";

export class FakeConnection implements Connection {
  readonly remoteAddress: string;
  readonly remotePort = 5000;
  readonly pieces: Uint8Array[] = [];
  /** Write callbacks not run yet, with the bytes they free. */
  readonly unwritten: { bytes: Uint8Array; written: (() => void) | undefined }[] = [];
  /** false: writes queue up until `drain`. */
  flowing = true;
  paused = false;
  ended = false;
  destroyed = false;
  writes = 0;
  #receive: (chunk: Uint8Array) => void = () => {};
  #closed: (error: Error | undefined) => void = () => {};
  #drained: () => void = () => {};

  constructor(remoteAddress = "127.0.0.1") {
    this.remoteAddress = remoteAddress;
  }

  onData(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive;
  }
  onClose(closed: (error: Error | undefined) => void): void {
    this.#closed = closed;
  }
  onDrain(drained: () => void): void {
    this.#drained = drained;
  }
  write(bytes: Uint8Array, written?: () => void): boolean {
    if (this.destroyed) return false;
    this.writes++;
    if (!this.flowing) {
      this.unwritten.push({ bytes, written });
      return false;
    }
    this.pieces.push(bytes.slice());
    if (written) queueMicrotask(written);
    return true;
  }
  cork(): void {}
  uncork(): void {}
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => this.#closed(undefined));
  }

  /** The client sends: the chunk is overwritten afterwards, as a socket's buffer would be. */
  send(bytes: Uint8Array): void {
    const chunk = bytes.slice();
    this.#receive(chunk);
    chunk.fill(0xee);
  }
  /** The client takes what was written so far. */
  drain(): void {
    this.flowing = true;
    for (const { bytes, written } of this.unwritten.splice(0)) {
      this.pieces.push(bytes.slice());
      written?.();
    }
    this.#drained();
  }
  /** The client goes away. */
  hangUp(): void {
    this.destroyed = true;
    this.#closed(undefined);
  }
  /** Answers received so far: whole frames without their size. */
  frames(): Uint8Array[] {
    const all = concat(this.pieces);
    const frames: Uint8Array[] = [];
    for (let at = 0; at + 4 <= all.length; ) {
      const size = new DataView(all.buffer).getInt32(at);
      if (at + 4 + size > all.length) break;
      frames.push(all.subarray(at + 4, at + 4 + size));
      at += 4 + size;
    }
    return frames;
  }
  correlationIds(): number[] {
    return this.frames().map((frame) => new Reader(frame).int32());
  }
}

/** A request as a client sends it, size prefix included. */
export function requestFrame<ReqIn>(
  api: Pick<Api<unknown, ReqIn>, "key" | "isFlexible" | "encodeRequest">,
  options: { version: number; correlationId?: number; clientId?: string | null },
  message: ReqIn,
): Uint8Array {
  const writer = new Writer();
  writer.beginFrame();
  const { version, correlationId = 1, clientId = "test" } = options;
  writeRequestHeader(writer, api, { apiVersion: version, correlationId, clientId });
  api.encodeRequest(version, message, writer);
  writer.endFrame();
  return joined(writer);
}

/** Decodes an answer's frame; its header is checked against the version. */
export function answerOf<Res>(
  api: Api<unknown, never, Res>,
  version: number,
  frame: Uint8Array | undefined,
): Res {
  if (!frame) throw new Error("no answer");
  const reader = new Reader(frame);
  reader.int32();
  if (api.key !== 18 && api.isFlexible(version)) reader.skipTagged();
  return api.decodeResponse(version, reader);
}

export { readRequestPrefix };

export class FakeClock {
  time = 1_000;
  readonly timers = new Set<{ at: number; run: () => void }>();
  nowMs = () => 1_700_000_000_000 + this.time;
  monotonicMs = () => this.time;
  soon = (run: () => void) => queueMicrotask(run);
  after = (delayMs: number, run: () => void): Timer => {
    const timer = { at: this.time + delayMs, run };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  };
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due);
      this.time = due.at;
      due.run();
    }
    this.time = end;
  }
}

/** Memory like the core's: a growth moves it and makes all views stale. */
export class FakeMemory {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 4096 });
  readonly live = new Map<number, number>();
  #next = 8;

  alloc(length: number): number {
    const at = this.#next;
    this.#next += length;
    const lacking = this.#next - this.memory.buffer.byteLength;
    if (lacking > 0) this.memory.grow(Math.ceil(lacking / 65536));
    this.live.set(at, length);
    return at;
  }
  free(at: number): void {
    if (!this.live.delete(at)) throw new Error(`freed twice: ${at}`);
  }
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }
  grow(): void {
    this.memory.grow(1);
  }
}

export interface FakePlatform {
  readonly platform: Platform;
  readonly clock: FakeClock;
  readonly memory: FakeMemory;
}

export function fakePlatform(): FakePlatform {
  const clock = new FakeClock();
  const memory = new FakeMemory();
  let drawn = 1;
  const random = {
    integer(below: number) {
      drawn = (drawn * 48271) % 0x7fffffff;
      return drawn % below;
    },
    bytes: (length: number) => new Uint8Array(length),
  };
  const core = memory as unknown as Core;
  return { platform: { clock, random, core } as unknown as Platform, clock, memory };
}

export function topicRecord(name: string, partitions = 1, id = idOf(name)): TopicRecord {
  return {
    name,
    id,
    configs: new Map(),
    partitions: Array.from({ length: partitions }, (_, partition) =>
      newPartition(partition, [1], { leaderEpoch: 3 }),
    ),
  };
}

/** A made-up topic id. */
export function idOf(name: string): string {
  return `${name}AAAAAAAAAAAAAAAAAAAAAAA`
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(0, 21)
    .concat("A");
}

/** Only what the hot APIs call; appends and fetches are recorded and answered by the test. */
export class FakeBroker {
  readonly brokerId: number = 1;
  readonly topics = new Map<string, TopicRecord>();
  readonly appends: (AppendRequest & { copy: Uint8Array })[] = [];
  readonly fetches: FetchRequest[] = [];
  created: string[] = [];
  onAppend: (request: AppendRequest) => Appended | Promise<Appended> = () => appended(0);
  onFetch: (
    request: FetchRequest,
  ) => readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> = (request) =>
    request.partitions.map(({ topic, partition }) => fetched(topic, partition));
  onAutoCreate: (name: string) => Promise<void> = async (name) => {
    this.created.push(name);
    this.add(topicRecord(name));
  };

  add(topic: TopicRecord): this {
    this.topics.set(topic.name, topic);
    return this;
  }
  get broker(): Broker {
    return this as unknown as Broker;
  }
  readonly groupConfigs = new Map<string, ReadonlyMap<string, string>>();
  cluster(): ClusterState {
    const record = {
      id: 1,
      epoch: 1,
      host: "localhost",
      port: 9092,
      rack: null,
      fenced: false,
      draining: false,
    };
    return {
      clusterId: "cluster",
      controllerId: 1,
      brokers: new Map([[1, record]]),
      topics: this.topics,
      topicsById: new Map([...this.topics.values()].map((topic) => [topic.id, topic])),
      brokerConfigs: new Map(),
      groupConfigs: this.groupConfigs,
    };
  }
  append(request: AppendRequest): Appended | Promise<Appended> {
    this.appends.push({ ...request, copy: request.batch.slice() });
    return this.onAppend(request);
  }
  fetch(request: FetchRequest) {
    this.fetches.push(request);
    return this.onFetch(request);
  }
  autoCreateTopic(name: string): Promise<void> {
    return this.onAutoCreate(name);
  }
}

export function appended(baseOffset: number): Appended {
  return { baseOffset, logAppendTimeMs: -1, logStartOffset: 0, nextOffset: baseOffset + 1 };
}

export function fetched(
  topic: string,
  partition: number,
  given: Partial<FetchedPartition> = {},
): FetchedPartition {
  return {
    topic,
    partition,
    error: null,
    highWatermark: 10,
    lastStableOffset: 10,
    logStartOffset: 0,
    abortedTransactions: [],
    records: { length: 0, parts: [], release() {} },
    ...given,
  };
}

/** A batch that passes the door's checks; the log's are not asked here. */
export function batchOf(length: number, fill = 7): Uint8Array {
  const batch = new Uint8Array(length).fill(fill);
  new DataView(batch.buffer).setInt32(8, length - 12);
  batch[16] = 2;
  batch[22] = 0;
  return batch;
}

/** Lets everything that is due run: promises, and what they start. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}
