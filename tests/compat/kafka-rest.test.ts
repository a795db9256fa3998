// Confluent's REST API from outside: a GET with a body, records as they come over one connection, and consumer instances
// in one group with kcat.
// Time limit: 60 s

import { request as httpRequest } from "node:http";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { eventually } from "../cluster/cluster-scene.ts";
import { produce, RestConsumer, restType } from "../cluster/rest-consumer.ts";
import { request, requestJson } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import { TestProcess } from "../support/processes.ts";
import { TestServer } from "../support/server.ts";

const server = await TestServer.start({
  args: [
    ...["--flush", "os", "--set", "group.initial.rebalance.delay.ms=0"],
    ...["--set", "group.consumer.min.heartbeat.interval.ms=500"],
    ...["--set", "group.consumer.heartbeat.interval.ms=500"],
  ],
});
const rebalanceMsMax = 20_000;

async function topicOf(name: string, partitions: number): Promise<string> {
  await request(`${server.http}/v1/topics`, { body: { name, partitions } });
  return name;
}

/** As curl -X GET -d: what fetch refuses to send. */
function getWithBody(url: string, body: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": restType, "content-length": text.length };
    const sent = httpRequest(url, { method: "GET", headers }, (answer) => {
      let found = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => {
        found += chunk;
      });
      answer.on("end", () => resolve(found));
    });
    sent.on("error", reject);
    sent.end(text);
  });
}

test("committed offsets are asked for by the body of a GET, or by its query", async () => {
  const topic = await topicOf("offsets", 2);
  const consumer = await RestConsumer.create([server.http], { group: "o", name: "a" });
  const partitions = [0, 1].map((partition) => ({ topic, partition }));
  await consumer.call("/assignments", { body: { partitions } });
  const named = [{ topic, partition: 1, offset: 4, metadata: "m" }];
  await produce(server.http, topic, [1]);
  await consumer.call("/offsets", { body: { offsets: named } });
  const wanted = { offsets: [{ topic, partition: 1, offset: 5, metadata: "m" }] };
  const url = `${server.http}/consumers/o/instances/a/offsets`;
  assert.equal(JSON.parse(await getWithBody(url, { partitions })), wanted);
  const asked = await requestJson(`${url}?topic=${topic}&partition=1`);
  assert.equal(asked, wanted);
  assert.equal(await requestJson(`${url}?topic=${topic}`), wanted);
});

test("records of v3 are answered while the body goes on", async () => {
  const topic = await topicOf("stream", 1);
  const clusters = await requestJson<{ data: { cluster_id: string }[] }>(
    `${server.http}/v3/clusters`,
  );
  const url = `${server.http}/v3/clusters/${clusters.data[0]!.cluster_id}/topics/${topic}/records`;
  const offsets: number[] = [];
  await new Promise<void>((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const sent = httpRequest(url, { method: "POST", headers }, (answer) => {
      answer.setEncoding("utf8");
      answer.on("data", (text: string) => {
        const { error_code, offset } = JSON.parse(text) as { error_code: number; offset: number };
        assert.is(error_code, 200);
        offsets.push(offset);
        // The next one is sent when this one is known to be stored.
        if (offsets.length < 3) send();
        else sent.end();
      });
      answer.on("end", resolve);
    });
    sent.on("error", reject);
    const send = () =>
      sent.write(JSON.stringify({ value: { type: "JSON", data: offsets.length } }));
    send();
  });
  assert.equal(offsets, [0, 1, 2]);
});

const kcat = findTool("kcat");

if (kcat !== undefined) {
  test("kcat and two REST instances share a group; each record is read by one of them", async () => {
    const topic = await topicOf("shared", 6);
    const rest = await Promise.all(
      ["a", "b"].map((name) => RestConsumer.create([server.http], { group: "k", name })),
    );
    for (const each of rest) await each.subscribe(topic);
    const flags = ["-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=500", "-q"];
    const lines: string[] = [];
    const command = [kcat, "-b", server.bootstrap, ...flags];
    command.push("-u", "-f", "%s\n", "-G", "k", topic);
    const member = new TestProcess(command, { onLine: (line) => lines.push(line) });
    try {
      const shares = async () => (await Promise.all(rest.map((each) => each.assigned()))).flat();
      await eventually(
        "kcat has its share",
        async () => (await shares()).length === 4,
        rebalanceMsMax,
      );
      const values = Array.from({ length: 120 }, (_, i) => i);
      await produce(server.http, topic, values);
      const seen = new Set<number>();
      const read = async () => {
        for (const each of rest) {
          for (const { value } of await each.read(100)) seen.add(Number(value));
        }
        return seen.size + lines.length === values.length;
      };
      await eventually("all is read", read, rebalanceMsMax);
      assert.ok(seen.size > 0 && lines.length > 0);
      for (const line of lines) seen.add(Number(line));
      assert.is(seen.size, values.length);
      for (const each of rest) await each.close();
      const later = values.map((value) => value + values.length);
      await produce(server.http, topic, later);
      const isAll = () => later.every((value) => lines.includes(`${value}`));
      await eventually("kcat takes over", isAll, rebalanceMsMax);
    } finally {
      await member.stop("SIGTERM");
    }
  });
}

test.after(async () => void (await server.stop()));
test.run();
