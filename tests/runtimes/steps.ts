// What several cases do on the way: create a topic, write values, read them back.

import { Kafka, logLevel } from "kafkajs";
import { request, requestJson } from "../support/http-client.ts";
import type { Address } from "../support/server.ts";
import type { Fetched, Stored } from "./case.ts";

export async function createTopic(
  http: string,
  name: string,
  partitions = 1,
  configs: Record<string, string> = {},
): Promise<void> {
  await request(`${http}/v1/topics`, { body: { name, partitions, configs } });
}

export function recordsUrl(http: string, topic: string, partition = 0): string {
  return `${http}/v1/topics/${topic}/partitions/${partition}/records`;
}

/** One record per value, without keys, in one request. */
export function produce(
  http: string,
  topic: string,
  values: readonly string[],
  query = "",
): Promise<Stored> {
  const body = values.map((value) => ({ value, partition: 0 }));
  return requestJson<Stored>(`${http}/v1/topics/${topic}/records${query}`, { body });
}

export function fetchAll(http: string, topic: string, partition = 0): Promise<Fetched> {
  return requestJson<Fetched>(
    `${recordsUrl(http, topic, partition)}?offset=earliest&max_records=100000`,
  );
}

export function values(fetched: Fetched): (string | null)[] {
  return fetched.records.map((record) => record.value);
}

/** kafkajs, quiet, and impatient enough that a failing case ends in time. */
export function kafkaClient(address: Address): Kafka {
  return new Kafka({
    brokers: [`${address.host}:${address.port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 5_000,
    requestTimeout: 15_000,
    retry: { retries: 3 },
  });
}
