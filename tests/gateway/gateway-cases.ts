// What a gateway does before any Kafka: the same cases before a Timberline broker and before Apache Kafka.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { EventStream, request, requestJson } from "../support/http-client.ts";

interface Page {
  readonly records: readonly { offset: number; key: string | null; value: string }[];
  readonly next_offset: number;
}

interface Stored {
  readonly records: readonly { partition: number; offset: number }[];
}

/** Tails of one partition that share an upstream fetch. */
const tailsCount = 50;

/** `gateway`: the address of its HTTP door, known when the tests run. */
export function gatewayCases(gateway: () => string): void {
  topicCases(gateway);
  recordCases(gateway);
  tailCases(gateway);
  groupCases(gateway);
}

function topicCases(gateway: () => string): void {
  test("gateway: topics are made, shown, grown and deleted", async () => {
    const topics = `${gateway()}/v1/topics`;
    const made = { name: "made", partitions: 2, configs: { "retention.ms": "3600000" } };
    await request(topics, { body: made, status: 201 });
    const before = await requestJson<{ partitions: unknown[] }>(`${topics}/made`);
    assert.is(before.partitions.length, 2);
    await request(`${topics}/made`, {
      method: "PATCH",
      body: { partitions: 3, configs: { "retention.ms": "7200000" } },
    });
    const after = await requestJson<{ partitions: unknown[] }>(`${topics}/made`);
    assert.is(after.partitions.length, 3);
    const { configs } = await requestJson<{ configs: { name: string; value: string }[] }>(
      `${topics}/made/configs?name=retention.ms`,
    );
    assert.is(configs[0]?.value, "7200000");
    await request(topics, { body: made, status: 409 });
    await request(`${topics}/made`, { method: "DELETE" });
    await request(`${topics}/made`, { status: 404 });
  });
}

function recordCases(gateway: () => string): void {
  test("gateway: records are stored, read as pages and raw, found by time, deleted", async () => {
    const topic = `${gateway()}/v1/topics/records`;
    await request(`${gateway()}/v1/topics`, { body: { name: "records", partitions: 1 } });
    const list = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `v${i}` }));
    const { records: stored } = await requestJson<Stored>(`${topic}/records`, { body: list });
    assert.equal(
      stored.map(({ offset }) => offset),
      list.map((_, i) => i),
    );
    const page = await requestJson<Page>(`${topic}/partitions/0/records?offset=90`);
    assert.equal(
      page.records.map(({ offset, key, value }) => [offset, key, value]),
      list.slice(90).map(({ key, value }, i) => [90 + i, key, value]),
    );
    const raw = await request(`${topic}/partitions/0/records?offset=0&format=batches`);
    const copied = new Uint8Array(await raw.arrayBuffer());
    const batches = { "content-type": "application/vnd.timberline.batches" };
    await request(`${topic}/partitions/0/records`, { body: copied, headers: batches });
    const { records } = await requestJson<Page>(`${topic}/partitions/0/records?offset=100`);
    assert.is(records.length, 100);
    assert.is(records[99]?.value, "v99");
    const { offsets } = await requestJson<{ offsets: { offset: number }[] }>(
      `${topic}/offsets?at=latest`,
    );
    assert.is(offsets[0]?.offset, 200);
    await request(`${topic}/partitions/0/delete-records`, { body: { offset: 50 } });
    await request(`${topic}/partitions/0/records?offset=10`, { status: 416 });
    await request(`${topic}/partitions/7/records?offset=0`, { status: 404 });
  });
}

function tailCases(gateway: () => string): void {
  test("gateway: many tails of a partition cost one upstream fetch", async () => {
    const topic = `${gateway()}/v1/topics/tails`;
    await request(`${gateway()}/v1/topics`, { body: { name: "tails", partitions: 1 } });
    const url = `${topic}/partitions/0/records?offset=latest`;
    const tails = await Promise.all(
      Array.from({ length: tailsCount }, () => EventStream.open(url)),
    );
    // What a tail asks before it waits is its own: only what comes after it is shared.
    await request(`${topic}/records`, { body: { value: "first" } });
    await Promise.all(tails.map((tail) => tail.take(1)));
    const before = await upstreamFetches(gateway());
    const values = Array.from({ length: 10 }, (_, i) => `v${i}`);
    for (const value of values) await request(`${topic}/records`, { body: { value } });
    for (const tail of tails) {
      const events = await tail.take(values.length);
      const got = events.map(({ data }) => (JSON.parse(data) as { value: string }).value);
      assert.equal(got, values);
      tail.close();
    }
    const cost = (await upstreamFetches(gateway())) - before;
    assert.ok(cost <= 2 * values.length, `${cost} upstream fetches for ${tailsCount} tails`);
  });

  test("gateway: a tail resumes where it was cut", async () => {
    const topic = `${gateway()}/v1/topics/resumed`;
    await request(`${gateway()}/v1/topics`, { body: { name: "resumed", partitions: 1 } });
    for (const value of ["a", "b", "c"]) await request(`${topic}/records`, { body: { value } });
    const url = `${topic}/partitions/0/records?offset=earliest`;
    const first = await EventStream.open(url);
    const [a] = await first.take(1);
    first.close();
    const second = await EventStream.open(url, a?.id);
    const rest = await second.take(2);
    second.close();
    assert.equal(
      rest.map(({ data }) => (JSON.parse(data) as { value: string }).value),
      ["b", "c"],
    );
  });
}

function groupCases(gateway: () => string): void {
  test("gateway: Kafka's own protocol goes through it over HTTP", async () => {
    const client = createClient({ bootstrap: gateway() });
    try {
      await client.admin().createTopic({ name: "tunnelled", partitions: 1 });
      await client.producer().send({ topic: "tunnelled", value: "through" });
      const consumer = client.consumer();
      await consumer.assign([{ topic: "tunnelled", partition: 0, offset: "earliest" }]);
      const batch = await consumer.poll(10_000);
      const [first] = [...(batch?.records ?? [])];
      assert.is(new TextDecoder().decode(first?.value ?? undefined), "through");
    } finally {
      await client.close();
    }
  });

  test("gateway: offsets of groups are moved and told, groups are listed and forgotten", async () => {
    const door = gateway();
    await request(`${door}/v1/topics`, { body: { name: "grouped", partitions: 1 } });
    await request(`${door}/v1/topics/grouped/records`, { body: [{ value: "1" }, { value: "2" }] });
    const offsets = [{ topic: "grouped", partition: 0, offset: 1 }];
    await request(`${door}/v1/groups/readers/offsets`, { body: { offsets } });
    const told = await requestJson<{ offsets: { offset: number; lag: number }[] }>(
      `${door}/v1/groups/readers/offsets`,
    );
    assert.is(told.offsets[0]?.offset, 1);
    assert.is(told.offsets[0]?.lag, 1);
    const { groups } = await requestJson<{ groups: { group: string }[] }>(`${door}/v1/groups`);
    assert.ok(groups.some(({ group }) => group === "readers"));
    await request(`${door}/v1/groups/readers`, { method: "DELETE" });
    await request(`${door}/v1/groups/readers`, { status: 404 });
  });
}

/** The Durable Streams door, whose writers count on conditions that another Kafka does not know. */
export function streamCases(gateways: () => readonly [string, string]): void {
  racingCase(gateways);
  test("gateway: a stream is made, written by a numbered writer, read, closed and removed", async () => {
    const [door] = gateways();
    const url = `${door}/v1/stream/journal`;
    const json = { "content-type": "application/json" };
    await request(url, { method: "PUT", headers: json, status: 201 });
    await request(url, { method: "PUT", headers: json, status: 200 });
    await request(url, { method: "PUT", headers: { "content-type": "text/plain" }, status: 409 });
    for (const seq of [0, 1, 1, 2]) {
      const headers = { ...json, ...writer(seq) };
      await request(url, { method: "POST", headers, body: JSON.stringify([{ seq }]) });
    }
    const gap = { method: "POST", headers: { ...json, ...writer(7) }, body: "[{}]", status: 409 };
    await request(url, gap);
    assert.equal(await streamed(url), [{ seq: 0 }, { seq: 1 }, { seq: 2 }]);
    await request(url, { method: "POST", headers: { "stream-closed": "true" } });
    await request(url, { method: "POST", headers: json, body: "[{}]", status: 409 });
    await request(url, { method: "DELETE" });
    await request(url, { status: 404 });
  });

  test("gateway: two gateways write to one stream, and nothing is lost or stored twice", async () => {
    const [first, second] = gateways();
    const json = { "content-type": "application/json" };
    await request(`${first}/v1/stream/shared`, { method: "PUT", headers: json, status: 201 });
    // In blocks: each turn costs the other gateway's ownership.
    for (let turn = 0; turn < 6; turn++) {
      const url = `${turn % 2 === 0 ? first : second}/v1/stream/shared`;
      for (let i = 0; i < 5; i++) {
        const seq = turn * 5 + i;
        const headers = { ...json, ...writer(seq) };
        await request(url, { method: "POST", headers, body: JSON.stringify([{ seq }]) });
        // Sent again, as after an answer that was lost.
        if (i === 4)
          await request(url, { method: "POST", headers, body: JSON.stringify([{ seq }]) });
      }
    }
    const all = Array.from({ length: 30 }, (_, seq) => ({ seq }));
    assert.equal(await streamed(`${second}/v1/stream/shared`), all);
    assert.equal(await streamed(`${first}/v1/stream/shared`), all);
  });
}

function racingCase(gateways: () => readonly [string, string]): void {
  test("gateway: what comes through two gateways at once is stored once", async () => {
    const [first, second] = gateways();
    const json = { "content-type": "application/json" };
    await request(`${first}/v1/stream/raced`, { method: "PUT", headers: json, status: 201 });
    const all = Array.from({ length: 8 }, (_, seq) => ({ seq }));
    for (const { seq } of all) {
      const headers = { ...json, ...writer(seq) };
      const asked = { method: "POST", headers, body: JSON.stringify([{ seq }]) };
      await Promise.all([first, second].map((door) => request(`${door}/v1/stream/raced`, asked)));
    }
    assert.equal(await streamed(`${first}/v1/stream/raced`), all);
  });
}

function writer(seq: number): Record<string, string> {
  return { "producer-id": "w", "producer-epoch": "0", "producer-seq": String(seq) };
}

/** All messages of a JSON stream. */
async function streamed(url: string): Promise<unknown[]> {
  const messages: unknown[] = [];
  for (let offset = "-1"; ; ) {
    const answer = await request(`${url}?offset=${offset}`);
    messages.push(...((await answer.json()) as unknown[]));
    const next = answer.headers.get("stream-next-offset") ?? offset;
    if (answer.headers.has("stream-up-to-date") || next === offset) return messages;
    offset = next;
  }
}

async function upstreamFetches(door: string): Promise<number> {
  const text = await (await request(`${door}/metrics`)).text();
  const counts = text.matchAll(/^timberline_gateway_upstream_fetches_total\S* (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
