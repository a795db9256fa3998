// A broker for the admin APIs' tests: topics in memory, every call recorded, refusals chosen by the test.

import type {
  ConfigEntry,
  ConfigOperation,
  ConfigResource,
  CreatedTopic,
  CreateTopicRequest,
  LogDirView,
  ProducerView,
  TopicPartition,
} from "../../../../runtime/broker.ts";
import { BrokerError, type ErrorName } from "../../../../runtime/errors.ts";
import type { ClientConnection, HandlerContext } from "../../../../runtime/kafka/handler.ts";
import type { Platform } from "../../../../runtime/platform.ts";
import { FakeBroker, topicRecord } from "../fakes.ts";

export class AdminBroker extends FakeBroker {
  readonly calls: unknown[][] = [];
  /** What calls on a topic of this name throw. */
  readonly refusals = new Map<string, Error>();
  entries: ConfigEntry[] = [];
  logDirs: LogDirView[] = [];
  producers: ProducerView[] = [];
  lowWatermark = 0;

  refuse(topic: string, code: ErrorName, message: string = code): this {
    this.refusals.set(topic, new BrokerError(code, message));
    return this;
  }

  async createTopic(request: CreateTopicRequest): Promise<CreatedTopic> {
    this.#called("createTopic", request.name, request);
    const partitions = request.assignments?.length ?? Math.max(1, request.partitions);
    const record = topicRecord(request.name, partitions);
    if (!request.validateOnly) this.add(record);
    const { name, id } = record;
    return { name, id, partitions, replicationFactor: 1, configs: this.entries };
  }
  async deleteTopic(name: string): Promise<void> {
    this.#called("deleteTopic", name, name);
    this.topics.delete(name);
  }
  async createPartitions(request: { name: string; partitions: number }): Promise<void> {
    this.#called("createPartitions", request.name, request);
  }
  async deleteRecords(request: TopicPartition & { offset: number }): Promise<number> {
    this.#called("deleteRecords", request.topic, request);
    return this.lowWatermark;
  }
  async initProducerId(request: { transactionalId: string | null }) {
    this.#called("initProducerId", request.transactionalId ?? "", request);
    return { producerId: 4000, producerEpoch: 0 };
  }
  describeConfigs(resource: ConfigResource, names: readonly string[] | null) {
    this.#called("describeConfigs", nameOf(resource), resource, names);
    return this.entries;
  }
  async alterConfigs(
    resource: ConfigResource,
    operations: readonly ConfigOperation[],
    options: { validateOnly: boolean },
  ): Promise<void> {
    this.#called("alterConfigs", nameOf(resource), resource, operations, options);
  }
  async replaceConfigs(
    resource: ConfigResource,
    configs: ReadonlyMap<string, string>,
    options: { validateOnly: boolean },
  ): Promise<void> {
    this.#called("replaceConfigs", nameOf(resource), resource, configs, options);
  }
  describeProducers(request: TopicPartition): readonly ProducerView[] {
    this.#called("describeProducers", request.topic, request);
    return this.producers;
  }
  describeLogDirs(): readonly LogDirView[] {
    return this.logDirs;
  }

  #called(method: string, topic: string, ...given: unknown[]): void {
    this.calls.push([method, ...given]);
    const refusal = this.refusals.get(topic);
    if (refusal) throw refusal;
  }
}

function nameOf(resource: ConfigResource): string {
  if (resource.kind === "group") return resource.groupId;
  return resource.kind === "topic" ? resource.name : String(resource.broker);
}

export interface TestContext extends HandlerContext {
  /** What was reported as unexpected. */
  readonly reported: unknown[];
}

/** Handlers of admin APIs ask their context for the broker and the version; bugs are collected. */
export function contextOf(admin: AdminBroker, apiVersion: number): TestContext {
  const reported: unknown[] = [];
  return {
    broker: admin.broker,
    apiVersion,
    reported,
    report: (error) => reported.push(error),
    clientId: "test",
    platform: {} as Platform,
    connection: {} as ClientConnection,
  };
}

/** An answer that must be there. */
export async function answered<T>(answer: T | null | Promise<T | null>): Promise<T> {
  const given = await answer;
  if (given === null) throw new Error("no answer");
  return given;
}

export function configEntry(name: string, given: Partial<ConfigEntry> = {}): ConfigEntry {
  return {
    name,
    value: "1",
    source: "DEFAULT_CONFIG",
    readOnly: false,
    sensitive: false,
    type: "INT",
    documentation: `what ${name} is`,
    synonyms: [{ name, value: "1", source: "DEFAULT_CONFIG" }],
    ...given,
  };
}
