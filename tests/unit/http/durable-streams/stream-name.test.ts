// Paths and topics are each other's names; and what subscriptions may match and call.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TopicRecord } from "../../../../cluster/control-plane.ts";
import {
  locate,
  pathOfTopic,
  streamPath,
  topicOfPath,
} from "../../../../runtime/http/durable-streams/stream-name.ts";
import { matchesPath } from "../../../../runtime/http/durable-streams/subscriptions/path-pattern.ts";
import { webhookUrlFault } from "../../../../runtime/http/durable-streams/subscriptions/webhook-url.ts";

test("topicOfPath() is a topic's name for every path, and pathOfTopic() the way back", () => {
  assert.is(topicOfPath("orders"), "orders");
  assert.is(topicOfPath("chats/7"), "ds..chats.2F7");
  const paths = [
    "orders",
    "chats/7",
    "ds..orders",
    "ä b",
    "a.b_c-d",
    "..",
    "x/../y",
    "a//b",
    "%2F",
  ];
  const names = paths.map(topicOfPath);
  for (const [i, name] of names.entries()) {
    assert.match(name, /^[a-zA-Z0-9._-]+$/);
    assert.is(pathOfTopic(name), paths[i]);
  }
  assert.is(new Set(names).size, names.length);
});

test("topicOfPath() refuses what no topic can be", () => {
  assert.throws(() => topicOfPath("x".repeat(250)), /249/);
  assert.throws(() => topicOfPath("ä".repeat(60)), /249/);
  assert.throws(() => topicOfPath("__consumer_offsets"), /broker keeps/);
});

test("streamPath() decodes, and keeps the reserved segment free", () => {
  assert.is(streamPath("/v1/stream/a%20b/c"), "a b/c");
  assert.is(streamPath("events/x"), "events/x");
  assert.throws(() => streamPath("/v1/stream"), /no name/);
  assert.throws(() => streamPath("/v1/stream/%zz"), /valid URL path/);
  assert.throws(() => streamPath("/v1/stream/__ds/x"), /__ds/);
  assert.throws(() => streamPath("/v1/stream/"), /no name/);
});

test("locate() finds a partition of a topic, unless a stream has that very path", () => {
  const topic = { partitions: [0, 1, 2] } as unknown as TopicRecord;
  const topics = new Map([["orders", topic]]);
  assert.equal(locate(topics, "orders/2"), { topic: "orders", partition: 2 });
  assert.is(locate(topics, "orders/3"), undefined);
  topics.set("ds..orders.2F2", topic);
  assert.equal(locate(topics, "orders/2"), { topic: "ds..orders.2F2", partition: 0 });
});

test("matchesPath() takes * as one segment and ** as any number, and no pattern takes long", () => {
  assert.ok(matchesPath("events/*", "events/a"));
  assert.not(matchesPath("events/*", "events/a/b"));
  assert.ok(matchesPath("events/**", "events"));
  assert.ok(matchesPath("**/b", "x/y/b"));
  assert.not(matchesPath("a.*", "abc"));
  assert.not(matchesPath(`${"**/".repeat(100)}x`, `${"a/".repeat(200)}y`));
});

test("webhookUrlFault() lets the server call only the public and this machine", () => {
  for (const url of ["https://hooks.example/x", "http://localhost:1/x", "http://127.0.0.1:9/y"]) {
    assert.is(webhookUrlFault(url), null, url);
  }
  const refused = [
    ...["http://hooks.example/", "http://10.0.0.1/", "https://10.0.0.1/", "https://192.168.1.1/"],
    ...["https://169.254.169.254/latest", "https://[::1]/", "https://0xa.1/", "https://167772161/"],
    ...["ftp://localhost/", "https://u:p@hooks.example/", "https://db.internal/", "nonsense", 7],
  ];
  for (const url of refused) assert.ok(webhookUrlFault(url), String(url));
});

test.run();
