// StreamTable: the streams of this door by path. Finds a stream, or says why there is none; keeps the logs of those in
// use, and removes streams whose time is over. What it keeps is only a memory of what the cluster and the logs say.

import type { TopicRecord } from "../../../cluster/control-plane.ts";
import { BrokerError } from "../../errors.ts";
import { HttpError } from "../error.ts";
import type { Door } from "../route.ts";
import {
  type ForkPoint,
  ownBase,
  type StreamConfig,
  streamConfig,
  streamKeys,
} from "./stream-config.ts";
import { StreamLife } from "./stream-life.ts";
import { StreamLog } from "./stream-log.ts";
import { locate, pathOfTopic } from "./stream-name.ts";

export interface Stream {
  readonly path: string;
  readonly topic: TopicRecord;
  readonly partition: number;
  readonly config: StreamConfig;
  /** Where its own records begin. */
  readonly base: number;
  readonly log: StreamLog;
}

/** Logs kept in memory; the one kept for longest goes first. */
const logsMax = 10_000;

export class StreamTable {
  readonly life: StreamLife;
  readonly #door: Door;
  readonly #logs = new Map<string, StreamLog>();

  constructor(door: Door) {
    this.#door = door;
    this.life = new StreamLife(door, (topic) => this.#removeTopic(topic));
  }

  /** Throws 404 if there is none, or its time is over; 410 if it is only kept for its forks. */
  async find(path: string): Promise<Stream> {
    const stream = this.peek(path);
    if (stream === undefined) throw noStream(path);
    if (stream.config.isGone) throw goneStream(path);
    if (!this.life.isOver(stream.topic)) return stream;
    await this.remove(stream);
    throw noStream(path);
  }

  /** Also one that is gone or over. */
  peek(path: string): Stream | undefined {
    const { topics } = this.#door.broker.cluster();
    const place = locate(topics, path);
    const topic = place && topics.get(place.topic);
    return topic && this.#open(path, topic, place.partition);
  }

  /** The stream a fork was made from; undefined if a Kafka client removed it meanwhile. */
  source({ topic: name, topicId, partition }: ForkPoint): Stream | undefined {
    const topic = this.#door.broker.cluster().topics.get(name);
    if (topic === undefined || topic.id !== topicId) return undefined;
    return this.#open(pathOfTopic(name), topic, partition);
  }

  /** Now, or, if others were forked from it, as soon as the last of them goes. */
  async remove({ topic }: Stream): Promise<void> {
    await this.#removeTopic(topic);
  }

  async #removeTopic(topic: TopicRecord): Promise<void> {
    const { broker } = this.#door;
    if (this.#hasForks(topic)) {
      const operations = [{ name: streamKeys.gone, op: "set", value: "true" }] as const;
      const resource = { kind: "topic", name: topic.name } as const;
      await broker.alterConfigs(resource, operations, { validateOnly: false });
      // The last fork may have gone while this was written.
      if (this.#hasForks(topic)) return;
    }
    await this.#delete(topic);
    const { fork } = streamConfig(topic);
    const source = fork === null ? undefined : broker.cluster().topics.get(fork.topic);
    if (source === undefined || source.id !== fork?.topicId) return;
    if (streamConfig(source).isGone) await this.#removeTopic(source);
  }

  async #delete({ name }: TopicRecord): Promise<void> {
    try {
      await this.#door.broker.deleteTopic(name);
    } catch (error) {
      const isGone = error instanceof BrokerError && error.code === "UNKNOWN_TOPIC_OR_PARTITION";
      if (!isGone) throw error;
    }
  }

  #hasForks({ id }: TopicRecord): boolean {
    for (const topic of this.#door.broker.cluster().topics.values()) {
      if (streamConfig(topic).fork?.topicId === id) return true;
    }
    return false;
  }

  #open(path: string, topic: TopicRecord, partition: number): Stream {
    const config = streamConfig(topic);
    const base = ownBase(config);
    return { path, topic, partition, config, base, log: this.#log(topic, partition) };
  }

  #log({ id, name }: TopicRecord, partition: number): StreamLog {
    const key = `${id}/${partition}`;
    const known = this.#logs.get(key);
    if (known !== undefined) return known;
    const log = new StreamLog(this.#door, { topic: name, partition });
    this.#logs.set(key, log);
    if (this.#logs.size > logsMax) {
      for (const [oldest] of this.#logs) {
        this.#logs.delete(oldest);
        break;
      }
    }
    return log;
  }
}

export function noStream(path: string): HttpError {
  const code = "UNKNOWN_TOPIC_OR_PARTITION";
  return new HttpError(code, `there is no stream ${JSON.stringify(path)}; PUT makes one`);
}

function goneStream(path: string): HttpError {
  const what = `stream ${JSON.stringify(path)} was removed, and is kept for those forked from it`;
  return new HttpError("RESOURCE_NOT_FOUND", what, { status: 410 });
}
