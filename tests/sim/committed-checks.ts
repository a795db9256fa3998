// What is committed, as one who sees all brokers at once knows it: the highest offset that any of them called so. Who
// is in sync, or may lead, has all of it; no leader says that the log ends before it; nobody's reach beyond their log.

import type { PartitionRecord } from "../../cluster/control-plane.ts";
import type { Broker, TopicPartition } from "../../runtime/broker.ts";
import { BrokerError } from "../../runtime/errors.ts";
import { eachStoredBatch } from "../support/stored-batches.ts";
import type { Violation } from "./history.ts";

const lookEveryMs = 250;
const toldMax = 20;

/** What of a broker is looked at. */
export interface LookedAt {
  readonly id: number;
  readonly name: string;
  readonly server:
    | { readonly broker: Pick<Broker, "cluster" | "describePartition" | "listOffsets"> }
    | undefined;
  readonly files: { readonly files: ReadonlyMap<string, { bytes: Uint8Array; size: number }> };
}

export interface WatchedBrokers {
  readonly running: readonly LookedAt[];
  onHeard: ((place: TopicPartition, record: PartitionRecord) => void) | undefined;
  onCut: ((place: TopicPartition) => void) | undefined;
  onCrash: ((host: LookedAt) => void) | undefined;
}

interface Known extends TopicPartition {
  readonly isCompacted: boolean;
  record: PartitionRecord;
  /** Everything below it is committed; `epoch` is that of its last record, −1 if unknown. */
  committed: { readonly offset: number; readonly epoch: number };
}

export interface WatchedWorld {
  after(delayMs: number, run: () => void): void;
  /** Runs when all that the event under way causes at once is done, and before the next one. */
  beforeNext(run: () => void): void;
  /** The service lost what it had decided: what was the newest record is not any more. */
  readonly hasGoneBack: boolean;
}

export class CommittedWatch {
  readonly violations: Violation[] = [];
  readonly #world: WatchedWorld;
  readonly #brokers: WatchedBrokers;
  readonly #known = new Map<string, Known>();
  readonly #soon = new Set<string>();

  constructor(world: WatchedWorld, brokers: WatchedBrokers) {
    this.#world = world;
    this.#brokers = brokers;
  }

  start(): void {
    this.#brokers.onHeard = (place, record) => {
      this.#heard(place, record);
      this.lookSoon(place);
    };
    this.#brokers.onCut = (place) => this.lookSoon(place);
    this.#brokers.onCrash = (host) => {
      for (const known of this.#known.values()) this.#note(known, host);
    };
    this.#lookAgain();
  }

  /** Every partition, and everybody's idea of who is in sync. */
  look(): void {
    for (const host of this.#brokers.running) this.#lookAtImage(host);
    for (const known of this.#known.values()) this.#lookAt(known);
  }

  /** As soon as what happens now has happened: it may be mended a moment later. */
  lookSoon({ topic, partition }: TopicPartition): void {
    if (this.#soon.size === 0) this.#world.beforeNext(() => this.#lookAtSome());
    this.#soon.add(`${topic}-${partition}`);
  }

  #lookAgain(): void {
    this.look();
    this.#world.after(lookEveryMs, () => this.#lookAgain());
  }

  #lookAtSome(): void {
    const some = [...this.#soon];
    this.#soon.clear();
    for (const key of some) {
      const known = this.#known.get(key);
      if (known) this.#lookAt(known);
    }
  }

  #heard({ topic, partition }: TopicPartition, record: PartitionRecord, isCompacted = false): void {
    const key = `${topic}-${partition}`;
    const known = this.#known.get(key);
    if (known === undefined) {
      const committed = { offset: 0, epoch: -1 };
      this.#known.set(key, { topic, partition, isCompacted, record, committed });
    } else if (record.partitionEpoch > known.record.partitionEpoch) known.record = record;
  }

  /** A broker and all of its partitions change together: nobody ever sees one who is fenced in sync. */
  #lookAtImage(host: LookedAt): void {
    const { brokers, topics } = host.server!.broker.cluster();
    const fenced = new Set([...brokers.values()].flatMap(({ id, fenced }) => (fenced ? [id] : [])));
    for (const { name, configs, partitions } of topics.values()) {
      const isCompacted = configs.get("cleanup.policy") === "compact";
      for (const record of partitions) {
        this.#heard({ topic: name, partition: record.partition }, record, isCompacted);
        const id = record.isr.find((each) => fenced.has(each));
        if (id === undefined) continue;
        this.#violated(
          "fenced-in-sync",
          `${name}-${record.partition}: ${id}, as ${host.name} sees`,
        );
      }
    }
  }

  #lookAt(known: Known): void {
    for (const host of this.#brokers.running) this.#note(known, host);
    if (this.#world.hasGoneBack) return;
    const { isr, elr, leader } = known.record;
    for (const host of this.#brokers.running) {
      if (isr.includes(host.id)) this.#checkHas(known, host, "in-sync-lacks");
      else if (elr.includes(host.id)) this.#checkHas(known, host, "eligible-lacks");
      if (host.id === leader) this.#checkLatest(known, host);
    }
  }

  /** What this broker calls committed is. */
  #note(known: Known, host: LookedAt): void {
    const view = replicaOf(host, known);
    if (view === undefined) return;
    const { highWatermark, logEndOffset } = view;
    if (highWatermark > logEndOffset) {
      const what = `${textOf(known)} on ${host.name}: ${highWatermark} of ${logEndOffset}`;
      this.#violated("high-watermark-beyond-end", what);
    }
    if (highWatermark <= known.committed.offset) return;
    known.committed = { offset: highWatermark, epoch: epochBelow(host, known, highWatermark) };
  }

  #checkHas(known: Known, host: LookedAt, rule: string): void {
    const { offset, epoch } = known.committed;
    const end = replicaOf(host, known)?.logEndOffset;
    if (end === undefined || offset === 0) return;
    const own = end < offset ? -1 : epochBelow(host, known, offset);
    if (end >= offset && (own === epoch || own < 0 || epoch < 0)) return;
    const has = end < offset ? `ends at ${end}` : `has it of epoch ${own}`;
    const what = `${offset} is committed in epoch ${epoch}, ${host.name} ${has}`;
    this.#violated(rule, `${textOf(known)}: ${what}`);
  }

  /** The newest leader, if it knows that it is: where does it say that the log ends? */
  #checkLatest(known: Known, host: LookedAt): void {
    const { topic, partition, record, committed } = known;
    const { broker } = host.server!;
    const own = broker.cluster().topics.get(topic)?.partitions[partition];
    if (own?.leader !== host.id || own.leaderEpoch !== record.leaderEpoch) return;
    const { leaderEpoch: currentLeaderEpoch } = record;
    const isolation = "read_uncommitted";
    const asked = { topic, partition, spec: "latest", currentLeaderEpoch, isolation } as const;
    void broker.listOffsets(asked).then(({ error, offset }) => {
      if (error !== null || offset >= committed.offset) return;
      const what = `${textOf(known)}: ${host.name} said ${offset} after ${committed.offset}`;
      this.#violated("latest-went-back", what);
    });
  }

  #violated(rule: string, what: string): void {
    if (this.violations.length < toldMax) this.violations.push({ rule, what });
  }
}

function textOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** What a broker has of a partition; undefined if it has none of it open. */
function replicaOf({ server }: LookedAt, { topic, partition }: TopicPartition) {
  try {
    const view = server?.broker.describePartition({ topic, partition });
    return view === undefined || view.segments === 0 ? undefined : view;
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

/** Epoch of the record before `offset`; −1 if it is not known, or was compacted away. */
function epochBelow({ files: { files } }: LookedAt, known: Known, offset: number): number {
  if (known.isCompacted || known.topic.startsWith("__")) return -1;
  const prefix = `${textOf(known)}/`;
  const logs = [...files.keys()].filter((path) => path.startsWith(prefix) && path.endsWith(".log"));
  for (const path of logs.sort().reverse()) {
    const { bytes, size } = files.get(path)!;
    let isBehind = false;
    for (const { lastOffset, leaderEpoch } of eachStoredBatch(bytes.subarray(0, size))) {
      if (lastOffset >= offset - 1) return leaderEpoch;
      isBehind = true;
    }
    if (isBehind) return -1;
  }
  return -1;
}
