// InstanceTable: the consumer instances of all nodes, in a compacted topic. Every change names what it was decided on
// and fails if that is not so any more; whoever decides, decides again.

import { partitionForKey } from "../../partitioner.ts";
import { busy } from "../body.ts";
import { ensureInternalTopic } from "../internal-topic.ts";
import type { Door } from "../route.ts";
import { errorCodes, RestError } from "./error.ts";
import { type Instance, type InstanceId, instancesTopic, keyOf } from "./instance.ts";
import { InstanceLog } from "./instance-log.ts";

const partitions = 8;
const instancesMax = 250 * partitions;
const attemptsMax = 32;
/** Closed segments are compacted: what a node reads first stays short. */
const segmentBytes = 8 * 1024 * 1024;
/** One with some 20,000 partitions. */
const instanceBytesMax = 4 * 1024 * 1024;
const topicRequest = {
  name: instancesTopic,
  partitions,
  configs: {
    "cleanup.policy": "compact",
    "segment.bytes": String(segmentBytes),
    "max.message.bytes": String(instanceBytesMax),
  },
};
const nonceBytes = 6;
/** An instance's last use is told in its state this often. */
export const toldMs = 30_000;

export class InstanceTable {
  readonly #door: Door;
  readonly #logs = new Map<string, InstanceLog>();
  readonly #writer: string;
  #writes = 0;

  constructor(door: Door) {
    this.#door = door;
    const nonce = door.platform.random.bytes(nonceBytes);
    this.#writer = Array.from(nonce, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Unlike any other of any node. */
  newText(): string {
    return `${this.#writer}-${++this.#writes}`;
  }

  /** As of now. Throws 404 if there is none. */
  async get(id: InstanceId): Promise<Instance> {
    const log = this.#logOf(keyOf(id));
    await log?.refresh();
    return found(id, log?.peek(keyOf(id)));
  }

  /** As this node knows it. */
  peek(id: InstanceId): Instance | undefined {
    return this.#logOf(keyOf(id))?.peek(keyOf(id));
  }

  /** Makes the topic with the first one. Throws 409 if there is one of that name. */
  async create(instance: Instance): Promise<void> {
    await ensureInternalTopic(this.#door.broker, topicRequest);
    const key = keyOf(instance);
    const log = this.#logOf(key);
    if (log === undefined) throw busy(`${instancesTopic} is being made; try again`);
    await log.refresh();
    if (log.size * partitions >= instancesMax && log.peek(key) === undefined) {
      throw new RestError(429, `about ${instancesMax} consumer instances are open: delete some`);
    }
    const isNew = log.peek(key) === undefined;
    if (isNew && (await log.put(key, undefined, this.#textOf(instance)))) return;
    const message = `Consumer instance ${instance.name} already exists in group ${instance.group}`;
    throw new RestError(409, message, errorCodes.instanceExists);
  }

  /** The state after it; undefined if the instance is not `seen` any more. */
  async put(seen: Instance, next: Instance): Promise<Instance | undefined> {
    const log = this.#logOf(keyOf(seen));
    const isStored = await log?.put(keyOf(seen), seen, this.#textOf(next));
    return isStored ? log!.peek(keyOf(seen)) : undefined;
  }

  /** `decide` may be asked several times. The same object changes nothing. */
  async change(id: InstanceId, decide: (current: Instance) => Instance): Promise<Instance> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const current = await this.get(id);
      const next = decide(current);
      if (next === current) return current;
      const stored = await this.put(current, next);
      if (stored !== undefined) return stored;
    }
    throw busy("others change this consumer all the time; try again");
  }

  /** The same, for a client's request: it keeps the instance alive. */
  async use(id: InstanceId): Promise<Instance> {
    const nowMs = this.#door.platform.clock.nowMs();
    return this.change(id, (current) =>
      nowMs - current.usedMs < toldMs ? current : { ...current, usedMs: nowMs },
    );
  }

  async remove(id: InstanceId): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const current = this.peek(id);
      if (current === undefined) return;
      const log = this.#logOf(keyOf(id))!;
      if (await log.put(keyOf(id), current, null)) return;
      await log.refresh();
    }
    throw busy("others change this consumer all the time; try again");
  }

  /** False if somebody used it meanwhile. */
  async removeIdle(seen: Instance): Promise<boolean> {
    return (await this.#logOf(keyOf(seen))?.put(keyOf(seen), seen, null)) ?? false;
  }

  async changed(id: InstanceId, waitMs: number): Promise<void> {
    await this.#logOf(keyOf(id))?.changed(keyOf(id), waitMs);
  }

  /** Instances that this node looks after: those whose log it leads, or all it knows if it leads nothing at all. */
  async own(): Promise<readonly Instance[]> {
    const { broker } = this.#door;
    const records = broker.cluster().topics.get(instancesTopic)?.partitions ?? [];
    const isBroker = broker.cluster().brokers.has(broker.brokerId);
    const instances: Instance[] = [];
    for (const { partition, leader } of records) {
      if (isBroker && leader !== broker.brokerId) continue;
      const log = isBroker ? this.#log(partition) : this.#known(partition);
      await log?.refresh();
      for (const [, instance] of log?.all() ?? []) instances.push(instance);
    }
    return instances;
  }

  #textOf(instance: Instance): string {
    return JSON.stringify({ ...instance, change: this.newText() });
  }

  /** Undefined as long as there was no instance ever. */
  #logOf(key: string): InstanceLog | undefined {
    const topic = this.#door.broker.cluster().topics.get(instancesTopic);
    if (topic === undefined) return undefined;
    return this.#log(partitionForKey(new TextEncoder().encode(key), topic.partitions.length));
  }

  #log(partition: number): InstanceLog {
    const known = this.#known(partition);
    if (known !== undefined) return known;
    const log = new InstanceLog(this.#door, partition);
    this.#logs.set(this.#nameOf(partition), log);
    return log;
  }

  #known(partition: number): InstanceLog | undefined {
    return this.#logs.get(this.#nameOf(partition));
  }

  /** A topic that was deleted and made again is another one. */
  #nameOf(partition: number): string {
    return `${this.#door.broker.cluster().topics.get(instancesTopic)?.id}/${partition}`;
  }
}

function found({ group, name }: InstanceId, instance: Instance | undefined): Instance {
  if (instance !== undefined) return instance;
  const message = `Consumer instance not found: ${name} of group ${group}; it may have been idle too long`;
  throw new RestError(404, message, errorCodes.instanceNotFound);
}
