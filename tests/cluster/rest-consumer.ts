// A client of Confluent's REST API as its users write them: JSON over HTTP, each request to whichever broker comes next.

import { request } from "../support/http-client.ts";

export const restType = "application/vnd.kafka.v2+json";
export const restJsonType = "application/vnd.kafka.json.v2+json";

export interface RestRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: unknown;
  readonly value: unknown;
}

interface RestRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly status?: number;
}

export class RestConsumer {
  /** May change while it is used: brokers go. */
  doors: string[];
  readonly #path: string;
  #turn = 0;

  private constructor(doors: readonly string[], path: string) {
    this.doors = [...doors];
    this.#path = path;
  }

  static async create(
    doors: readonly string[],
    { group, ...config }: { group: string; [config: string]: unknown },
  ): Promise<RestConsumer> {
    const base = { format: "json", "auto.offset.reset": "earliest", "auto.commit.enable": false };
    const answer = await request(`${doors[0]}/consumers/${group}`, {
      body: JSON.stringify({ ...base, ...config }),
      headers: { "content-type": restType },
      method: "POST",
    });
    const { base_uri } = (await answer.json()) as { base_uri: string };
    return new RestConsumer(doors, new URL(base_uri).pathname);
  }

  async call(path: string, { method, body, status }: RestRequest = {}): Promise<Response> {
    const door = this.doors[this.#turn++ % this.doors.length];
    return request(`${door}${this.#path}${path}`, {
      headers: { "content-type": restType, accept: `${restJsonType}, ${restType}` },
      ...(method === undefined ? {} : { method }),
      ...(body === undefined ? {} : { body: JSON.stringify(body), method: method ?? "POST" }),
      ...(status === undefined ? {} : { status }),
    });
  }

  subscribe(...topics: string[]): Promise<Response> {
    return this.call("/subscription", { body: { topics } });
  }

  async read(timeoutMs = 1000, bytesMax = -1): Promise<readonly RestRecord[]> {
    const answer = await this.call(`/records?timeout=${timeoutMs}&max_bytes=${bytesMax}`);
    return (await answer.json()) as RestRecord[];
  }

  /** All that was read. */
  commit(): Promise<Response> {
    return this.call("/offsets", { method: "POST" });
  }

  async assigned(): Promise<readonly string[]> {
    const answer = await this.call("/assignments");
    const { partitions } = (await answer.json()) as {
      partitions: { topic: string; partition: number }[];
    };
    return partitions.map(({ topic, partition }) => `${topic}-${partition}`);
  }

  async committed(): Promise<readonly { partition: number; offset: number }[]> {
    const answer = await this.call("/offsets");
    return ((await answer.json()) as { offsets: { partition: number; offset: number }[] }).offsets;
  }

  close(): Promise<Response> {
    return this.call("", { method: "DELETE" });
  }
}

export async function produce(door: string, topic: string, values: readonly unknown[]) {
  const records = values.map((value) => ({ value, key: value }));
  await request(`${door}/topics/${topic}`, {
    method: "POST",
    body: JSON.stringify({ records }),
    headers: { "content-type": restJsonType },
  });
}
