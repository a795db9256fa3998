// What must hold inside of the cluster whatever clients see: epochs and high watermarks never go back, an epoch has
// one leader, and at the end all replicas are the same bytes.

import type { TopicRecord } from "../../cluster/control-plane.ts";
import type { Broker } from "../../runtime/broker.ts";
import { BrokerError } from "../../runtime/errors.ts";
import { partitionMetadataFile } from "../../runtime/log/log-files.ts";
import type { Core } from "../../storage-wasm/core.ts";
import { type StoredBatch, storedBatches } from "../support/stored-batches.ts";
import type { BrokerHost, Brokers } from "./cluster.ts";
import type { Violation } from "./history.ts";
import { textOf } from "./workload.ts";
import type { World } from "./world.ts";

const lookEveryMs = 250;

/** What of a running broker is looked at. */
export interface WatchedBroker {
  readonly id: number;
  readonly name: string;
  readonly incarnation: number;
  readonly server: { readonly broker: Pick<Broker, "cluster" | "describePartition"> } | undefined;
  readonly files: { readonly files: ReadonlyMap<string, object> };
}

/** Looks at all brokers now and then. */
export class StateWatch {
  readonly violations: Violation[] = [];
  readonly #world: Pick<World, "after">;
  readonly #brokers: { readonly running: readonly WatchedBroker[] };
  /** By partition and leader epoch: who led. */
  readonly #leaders = new Map<string, number>();
  /** By incarnation of a broker and partition: newest seen. */
  readonly #seen = new Map<string, Seen>();

  constructor(
    world: Pick<World, "after">,
    brokers: { readonly running: readonly WatchedBroker[] },
  ) {
    this.#world = world;
    this.#brokers = brokers;
  }

  start(): void {
    this.look();
    this.#world.after(lookEveryMs, () => this.start());
  }

  look(): void {
    for (const host of this.#brokers.running) this.#lookAt(host);
  }

  #lookAt(host: WatchedBroker): void {
    const broker = host.server!.broker;
    for (const { name, id, partitions } of broker.cluster().topics.values()) {
      for (const { partition, leader, leaderEpoch } of partitions) {
        const what = `${name}-${partition}`;
        if (leader >= 0) this.#led(`${id}/${partition}/${leaderEpoch}`, leader, what);
        const known = replicaOf(host, name, partition);
        const key = `${host.id}.${host.incarnation}/${id}/${partition}`;
        if (known === undefined) continue;
        const { leaderEpoch: epoch, highWatermark } = known;
        const copy = host.files.files.get(`${what}/${partitionMetadataFile}`);
        const now = { copy, epoch, highWatermark };
        const last = this.#seen.get(key);
        // Moved away and back, maybe between two looks: another copy, which begins with nothing.
        const before = last?.copy === copy ? last : undefined;
        this.#seen.set(key, now);
        if (before && now.epoch < before.epoch) {
          this.#violated(
            "epoch-went-back",
            `${what} on ${host.name}: ${before.epoch}, ${now.epoch}`,
          );
        }
        if (before && now.highWatermark < before.highWatermark) {
          const marks = `${before.highWatermark}, then ${now.highWatermark}`;
          this.#violated("high-watermark-went-back", `${what} on ${host.name}: ${marks}`);
        }
      }
    }
  }

  #led(key: string, leader: number, what: string): void {
    const before = this.#leaders.get(key);
    this.#leaders.set(key, leader);
    if (before === undefined || before === leader) return;
    this.#violated("two-leaders", `${what}: ${before} and ${leader} in one epoch (${key})`);
  }

  #violated(rule: string, what: string): void {
    if (this.violations.length < 20) this.violations.push({ rule, what });
  }
}

interface Seen {
  /** The same file as long as it is the same copy. */
  readonly copy: object | undefined;
  readonly epoch: number;
  readonly highWatermark: number;
}

/** Everybody lives, and every partition has all of its replicas in sync. */
export function isSettled(brokers: Brokers): boolean {
  return brokers.hosts.every(({ server }) => {
    if (server === undefined) return false;
    const { brokers: known, topics } = server.broker.cluster();
    if ([...known.values()].some(({ fenced }) => fenced)) return false;
    return [...topics.values()].every(({ partitions }) =>
      partitions.every(
        ({ leader, isr, replicas }) => leader >= 0 && isr.length === replicas.length,
      ),
    );
  });
}

/**
 * The bytes of every replica, below the lowest high watermark, are the leader's; where each replica compacts by itself,
 * the newest record of every key is.
 */
export function checkReplicas(brokers: Brokers, core: Core): Violation[] {
  const violations: Violation[] = [];
  const [first] = brokers.running;
  for (const { name, configs, partitions } of topicsOf(first)) {
    // __consumer_offsets is compacted too, but never long enough for it here.
    const isCompacted = !name.startsWith("__") && configs.get("cleanup.policy") === "compact";
    const differ = isCompacted ? newestDiffer(core) : difference;
    for (const { partition, replicas, leader } of partitions) {
      const copies = replicas.map((id) => ({ id, ...copyOf(brokers, id, name, partition) }));
      const end = Math.min(...copies.map(({ highWatermark }) => highWatermark));
      const own = copies.find(({ id }) => id === leader);
      if (own === undefined) continue;
      for (const { id, batches } of copies) {
        const where = differ(own.batches, batches, end);
        if (where === undefined) continue;
        const what = `${name}-${partition} of ${id} is not ${leader}'s from ${where} on (${end})`;
        violations.push({ rule: "replicas-differ", what });
      }
    }
  }
  return violations;
}

function topicsOf(host: BrokerHost | undefined): Iterable<TopicRecord> {
  return host?.server?.broker.cluster().topics.values() ?? [];
}

/** What a broker has of a partition; undefined if it has none of it open. */
function replicaOf(host: Pick<WatchedBroker, "server">, topic: string, partition: number) {
  try {
    return host.server?.broker.describePartition({ topic, partition });
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

function copyOf(brokers: Brokers, id: number, topic: string, partition: number) {
  const host = brokers.hosts.find((each) => each.id === id);
  const highWatermark = (host && replicaOf(host, topic, partition)?.highWatermark) ?? 0;
  const prefix = `${topic}-${partition}/`;
  const batches: StoredBatch[] = [];
  for (const path of [...(host?.files.files.keys() ?? [])].sort()) {
    if (!path.startsWith(prefix) || !path.endsWith(".log")) continue;
    const { bytes, size } = host!.files.files.get(path)!;
    batches.push(...storedBatches(bytes.subarray(0, size)));
  }
  return { highWatermark, batches };
}

/** Last offset of the first batch that differs, of those below `end`. */
function difference(
  a: readonly StoredBatch[],
  b: readonly StoredBatch[],
  end: number,
): number | undefined {
  for (const [index, batch] of a.entries()) {
    if (batch.lastOffset >= end) return undefined;
    const other = b[index];
    if (other === undefined || !isSame(batch.bytes, other.bytes)) return batch.lastOffset;
  }
  return undefined;
}

/**
 * The same for compacted logs: an offset whose record is the newest of its key in one of them only. Of the whole logs,
 * as a newer record anywhere may have ended an older one.
 */
function newestDiffer(core: Core): typeof difference {
  return (a, b) => {
    const [own, other] = [newestOf(core, a), newestOf(core, b)];
    for (const [key, offset] of own) if (other.get(key) !== offset) return offset;
    for (const [key, offset] of other) if (!own.has(key)) return offset;
    return undefined;
  };
}

function newestOf(core: Core, batches: readonly StoredBatch[]): Map<string, number> {
  const newest = new Map<string, number>();
  for (const { bytes } of batches) {
    for (const { key, offset } of core.decode(bytes, (_, stored) => stored)) {
      if (key) newest.set(textOf(key), offset);
    }
  }
  return newest;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
