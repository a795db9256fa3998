// Cases of the HTTP door: what curl and a browser do.

import * as assert from "uvu/assert";
import { RestConsumer, produce as restProduce } from "../cluster/rest-consumer.ts";
import { EventStream, request, requestJson } from "../support/http-client.ts";
import type { Case, Fetched, Stored } from "./case.ts";
import { createTopic, fetchAll, produce, recordsUrl, values } from "./steps.ts";

const NDJSON = { "content-type": "application/x-ndjson" };

export const httpCases: readonly Case[] = [
  {
    name: "is healthy and ready",
    async run({ http }) {
      await request(`${http}/healthz`);
      await request(`${http}/readyz`);
    },
  },
  {
    name: "creates, lists, describes and deletes a topic over HTTP",
    async run({ http }) {
      const body = { name: "described", partitions: 3, configs: { "retention.ms": "60000" } };
      await request(`${http}/v1/topics`, { body, status: 201 });
      await request(`${http}/v1/topics`, { body, status: 409 });
      const listed = await requestJson<{ topics: { name: string }[] }>(`${http}/v1/topics`);
      assert.ok(listed.topics.some((topic) => topic.name === "described"));
      const topic = await requestJson<{ partitions: unknown[] }>(`${http}/v1/topics/described`);
      assert.is(topic.partitions.length, 3);
      await request(`${http}/v1/topics/described`, { method: "DELETE" });
      await request(`${http}/v1/topics/described`, { status: 404 });
    },
  },
  {
    name: "takes records as JSON and gives them back by offset",
    async run({ http }) {
      await createTopic(http, "json");
      const records = [
        { key: "a", value: "one", headers: { trace: "1" } },
        { key: "b", value: { n: 2 }, value_encoding: "json" },
        { key: null, value: null },
      ];
      const stored = await requestJson<Stored>(`${http}/v1/topics/json/records`, { body: records });
      assert.is(stored.record_count, 3);
      const fetched = await fetchAll(http, "json");
      assert.equal(values(fetched), ["one", '{"n":2}', null]);
      assert.is(fetched.next_offset, 3);
      const second = await requestJson<Fetched>(
        `${recordsUrl(http, "json")}?offset=1&max_records=1`,
      );
      assert.equal(values(second), ['{"n":2}']);
    },
  },
  {
    name: "takes a stream of NDJSON and gives one back",
    async run({ http }) {
      await createTopic(http, "ndjson");
      const lines = Array.from({ length: 5000 }, (_, i) => JSON.stringify({ value: `line ${i}` }));
      const url = `${http}/v1/topics/ndjson/records`;
      await request(url, { body: `${lines.join("\n")}\n`, headers: NDJSON });
      const answer = await request(`${recordsUrl(http, "ndjson")}?format=ndjson&offset=earliest`);
      const back = (await answer.text()).trim().split("\n");
      assert.is(back.length, 5000);
      assert.is(JSON.parse(back[4999] ?? "").value, "line 4999");
    },
  },
  {
    name: "copies raw record batches from one topic to another, byte for byte",
    async run({ http }) {
      await createTopic(http, "raw-from");
      await createTopic(http, "raw-to");
      await produce(http, "raw-from", ["x", "y", "z"]);
      const batches = await rawBatches(http, "raw-from");
      const type = { "content-type": "application/vnd.timberline.batches" };
      const url = `${http}/v1/topics/raw-to/partitions/0/records`;
      await request(url, { body: batches, headers: type });
      assert.equal(values(await fetchAll(http, "raw-to")), ["x", "y", "z"]);
      // Base offset and leader epoch are the log's, outside the CRC; all else is the sender's.
      assert.equal((await rawBatches(http, "raw-to")).subarray(16), batches.subarray(16));
    },
  },
  {
    name: "keeps bytes that are no text, and takes a raw body as one record",
    async run({ http }) {
      await createTopic(http, "bytes");
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const headers = { "content-type": "application/octet-stream" };
      await request(`${http}/v1/topics/bytes/records`, { body: bytes, headers });
      const [record] = (await fetchAll(http, "bytes")).records;
      assert.equal(new Uint8Array(Buffer.from(record?.value ?? "", "base64")), bytes);
    },
  },
  {
    name: "puts the same key on the partition Kafka's clients put it on",
    async run({ http }) {
      await createTopic(http, "keyed", 7);
      // murmur2("21") and the like, from the Java client: see the partitioner's own test for the source.
      const keys = ["ATL", "ORD", "LAX", "ATL", "ORD", "LAX"];
      await request(`${http}/v1/topics/keyed/records`, {
        body: keys.map((key) => ({ key, value: key })),
      });
      const placed = new Map<string | null, Set<number>>();
      for (let partition = 0; partition < 7; partition += 1) {
        for (const record of (await fetchAll(http, "keyed", partition)).records) {
          placed.set(record.key, (placed.get(record.key) ?? new Set()).add(partition));
        }
      }
      assert.equal([...placed.keys()].sort(), ["ATL", "LAX", "ORD"]);
      for (const partitions of placed.values()) assert.is(partitions.size, 1);
    },
  },
  {
    name: "waits for a record that is not there",
    async run({ http }) {
      await createTopic(http, "waiting");
      const waiting = requestJson<Fetched>(`${recordsUrl(http, "waiting")}?offset=0&wait=15000`);
      await produce(http, "waiting", ["late"]);
      assert.equal(values(await waiting), ["late"]);
    },
  },
  {
    name: "tails a topic as server-sent events and resumes after the last one seen",
    async run({ http }) {
      await createTopic(http, "tailed");
      await produce(http, "tailed", ["1", "2"]);
      const url = `${recordsUrl(http, "tailed")}?offset=earliest`;
      const stream = await EventStream.open(url);
      const first = await stream.take(2);
      await produce(http, "tailed", ["3"]);
      const [live] = await stream.take(1);
      stream.close();
      assert.equal(
        [...first, live].map((event) => valueIn(event?.data)),
        ["1", "2", "3"],
      );
      await produce(http, "tailed", ["4"]);
      const resumed = await EventStream.open(url, live?.id);
      assert.equal(
        (await resumed.take(1)).map((event) => valueIn(event.data)),
        ["4"],
      );
      resumed.close();
    },
  },
  {
    name: "tells its metrics as OpenMetrics",
    async run({ http }) {
      await createTopic(http, "counted");
      await produce(http, "counted", ["1", "2"]);
      const accept = "application/openmetrics-text; version=1.0.0";
      const { brokers } = await requestJson<{ brokers: { id: number }[] }>(`${http}/v1/cluster`);
      let all = "";
      for (const { id } of brokers) {
        const answer = await request(`${http}/metrics?broker=${id}`, { headers: { accept } });
        assert.match(answer.headers.get("content-type") ?? "", /openmetrics-text/);
        const text = await answer.text();
        assert.match(text, /# EOF\n?$/);
        all += text;
      }
      assert.match(all, /^timberline_topic_records_total\{.*topic="counted".*\} 2$/m);
    },
  },
  {
    name: "describes its routes as OpenAPI",
    async run({ http }) {
      const document = await requestJson<{ openapi: string; paths: Record<string, unknown> }>(
        `${http}/openapi.json`,
      );
      assert.match(document.openapi, /^3\./);
      assert.ok(document.paths["/v1/topics"]);
    },
  },
  {
    name: "speaks Confluent's REST API: a consumer instance, and records that are answered one by one",
    async run({ http }) {
      await createTopic(http, "rest");
      await restProduce(http, "rest", [1, { two: 2 }]);
      const consumer = await RestConsumer.create([http], { group: "rest", name: "one" });
      await consumer.subscribe("rest");
      const records = await consumer.read();
      assert.equal(
        records.map(({ value }) => value),
        [1, { two: 2 }],
      );
      await consumer.commit();
      assert.is((await consumer.committed())[0]?.offset, 2);
      await consumer.close();
      const clusters = `${http}/v3/clusters`;
      const { data } = await requestJson<{ data: { cluster_id: string }[] }>(clusters);
      const body = [3, 4].map((value) => JSON.stringify({ value: { type: "JSON", data: value } }));
      const answer = await request(`${clusters}/${data[0]!.cluster_id}/topics/rest/records`, {
        body: body.join(" "),
        headers: { "content-type": "application/json" },
      });
      const offsets = (await answer.text()).trim().split("\r\n");
      assert.equal(
        offsets.map((each) => JSON.parse(each).offset),
        [2, 3],
      );
    },
  },
  {
    name: "refuses wrong requests with one clear sentence",
    async run({ http }) {
      await createTopic(http, "strict");
      const wrong: [string, object, number, string][] = [
        ["/v1/topics/absent/partitions/0/records?offset=0", {}, 404, "UNKNOWN_TOPIC_OR_PARTITION"],
        ["/v1/topics/strict/partitions/9/records?offset=0", {}, 404, "UNKNOWN_TOPIC_OR_PARTITION"],
        ["/v1/topics/strict/partitions/0/records?offset=99", {}, 416, "OFFSET_OUT_OF_RANGE"],
        ["/v1/topics/strict/records", { body: '{"value":' }, 400, "INVALID_REQUEST"],
        ["/v1/topics", { body: { name: "no spaces" } }, 400, "INVALID_TOPIC_EXCEPTION"],
        ["/v1/topics", { body: { name: "a", partitions: -7 } }, 400, "INVALID_PARTITIONS"],
        ["/v1/topics", { body: { name: "a", configs: { "no.such": 1 } } }, 400, "INVALID_CONFIG"],
      ];
      const headers = { "content-type": "application/json" };
      for (const [path, options, status, code] of wrong) {
        const asked = await requestJson<{ error: { code: string; message: string } }>(http + path, {
          headers,
          ...options,
          status,
        });
        assert.is(asked.error.code, code, path);
        assert.ok(asked.error.message.length > 10, path);
      }
      await produce(http, "strict", ["still here"]);
    },
  },
];

function valueIn(data: string | undefined): unknown {
  return JSON.parse(data ?? "{}").value;
}

async function rawBatches(http: string, topic: string): Promise<Uint8Array> {
  const answer = await request(`${recordsUrl(http, topic)}?format=batches&offset=0`);
  return new Uint8Array(await answer.arrayBuffer());
}
