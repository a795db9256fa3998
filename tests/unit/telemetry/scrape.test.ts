// Scrapes: both text formats by a strict parser, exact sums over limited names, slices and cache.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { METRIC_PREFIX, METRICS } from "../../../runtime/telemetry/metric-table.ts";
import {
  type MetricSources,
  Metrics,
  type TopicGauges,
} from "../../../runtime/telemetry/metrics.ts";
import { Scraper } from "../../../runtime/telemetry/scrape.ts";
import { FakeClock } from "./fake-clock.ts";

const OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5";

function sources(topics: () => Iterable<TopicGauges> = () => []): MetricSources {
  return {
    broker: { id: 7, rack: null, runtime: "node", runtimeVersion: "20.1.0", version: "0.1.0" },
    memory: () => ({ rss: 100, heap: 50 }),
    disks: () => [{ dir: "/data", freeBytes: 5, totalBytes: 10 }],
    transactions: () => ({ open: 1, oldestMs: 500 }),
    partitions: () => ({
      total: 3,
      leaders: 2,
      offline: 1,
      underReplicated: 1,
      underMinIsr: 0,
      atMinIsr: 1,
    }),
    controlPlane: () => ({
      ...{ isController: true, controllerEpoch: 4, isConnected: true, ageMs: 0 },
      alarm: "went back",
    }),
    replicaLags: () => new Map([[2, 6]]),
    topics,
    groups: () => [{ group: "g", members: 2, lags: new Map([["a", 5]]) }],
    partitionsOf: (topic) =>
      topic === "a"
        ? [
            {
              partition: 0,
              sizeBytes: 9,
              segments: 1,
              startOffset: 2,
              endOffset: 4,
              highWatermark: 3,
            },
          ]
        : undefined,
  };
}

function gauges(topic: string, value = 1): TopicGauges {
  return { topic, sizeBytes: value, segments: 1, startOffset: 0, endOffset: value };
}

function busyMetrics(clock = new FakeClock()): Metrics {
  const metrics = new Metrics(clock);
  metrics.topic("a").bytesIn += 1000;
  metrics.topic("a").batchesIn += 1;
  const produce = metrics.api("Produce", "kafka");
  produce.done(1);
  produce.done(3, "NOT_LEADER_OR_FOLLOWER");
  metrics.doors.kafka.opened();
  metrics.doors.kafka.opened();
  metrics.doors.kafka.ended("idle");
  metrics.httpRequest({ method: "GET", route: "/v1/topics/:topic", status: 404, durationMs: 2 });
  metrics.limitHit("max.connections");
  metrics.log.fsyncDuration.observeMs(4);
  return metrics;
}

/** Samples by name and labels. Fails on what a parser of the format would refuse. */
function parse(body: string): Map<string, number> {
  const samples = new Map<string, number>();
  const ended = new Set<string>();
  let family = "";
  for (const line of body.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram|info)$/.exec(line);
    if (type) {
      assert.not.ok(ended.has(type[1]!), `family ${type[1]} twice`);
      ended.add(type[1]!);
      family = type[1]!;
    }
    if (line.startsWith("#")) continue;
    const sample = /^(\w+)(\{\w+="(?:[^"\\\n]|\\.)*"(?:,\w+="(?:[^"\\\n]|\\.)*")*\})? (\S+)$/.exec(
      line,
    );
    assert.ok(sample, `not a sample: ${line}`);
    assert.ok(sample[1]!.startsWith(family), `${line} is not of ${family}`);
    const key = sample[1]! + (sample[2] ?? "");
    assert.not.ok(samples.has(key), `sample ${key} twice`);
    samples.set(key, sample[3] === "+Inf" ? Number.POSITIVE_INFINITY : Number(sample[3]));
  }
  return samples;
}

test("exposition() gives both formats the same samples, by Accept", async () => {
  const scraper = new Scraper(
    busyMetrics(),
    sources(() => [gauges("a")]),
  );
  const plain = await scraper.exposition();
  const open = await scraper.exposition(OPENMETRICS);
  assert.is(plain.contentType, "text/plain; version=0.0.4; charset=utf-8");
  assert.is(open.contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert.match(plain.body, /# TYPE timberline_requests_total counter\n/);
  assert.match(plain.body, /# TYPE timberline_broker_info gauge\n/);
  assert.match(plain.body, /\ntimberline_control_plane_alarm 1\n/);
  assert.match(open.body, /# TYPE timberline_requests counter\n/);
  assert.match(open.body, /# TYPE timberline_broker info\n/);
  assert.match(open.body, /\n# EOF\n$/);
  const samples = parse(plain.body);
  const simple = (body: string) => [...parse(body)].filter(([key]) => !key.includes("le="));
  assert.equal(simple(open.body), simple(plain.body));
  assert.is(samples.get("timberline_metrics_series"), samples.size);
});

test("exposition() shows what was counted", async () => {
  const metrics = busyMetrics();
  const scraper = new Scraper(
    metrics,
    sources(() => [gauges("a", 44)]),
  );
  const samples = parse((await scraper.exposition()).body);
  const value = (key: string) => samples.get(METRIC_PREFIX + key);
  assert.is(
    value(
      'broker_info{broker="7",rack="",runtime="node",runtime_version="20.1.0",version="0.1.0"}',
    ),
    1,
  );
  assert.is(value('topic_bytes_total{topic="a",dir="in"}'), 1000);
  assert.is(value('requests_total{api="Produce",door="kafka"}'), 2);
  assert.is(
    value('request_errors_total{api="Produce",door="kafka",error="NOT_LEADER_OR_FOLLOWER"}'),
    1,
  );
  const labels = 'api="Produce",door="kafka"';
  assert.is(value(`request_duration_seconds_bucket{${labels},le="0.000512"}`), 0);
  assert.is(value(`request_duration_seconds_bucket{${labels},le="0.001024"}`), 1);
  assert.is(value(`request_duration_seconds_bucket{${labels},le="0.004096"}`), 2);
  assert.is(value(`request_duration_seconds_bucket{${labels},le="+Inf"}`), 2);
  assert.is(value(`request_duration_seconds_sum{${labels}}`), 0.004);
  assert.is(value('connections{door="kafka"}'), 1);
  assert.is(value('connections_opened_total{door="kafka"}'), 2);
  assert.is(value('connections_closed_total{door="kafka",reason="idle"}'), 1);
  assert.is(value('memory_bytes{kind="rss"}'), 100);
  assert.is(value('disk_free_bytes{dir="/data"}'), 5);
  assert.is(value("offline_partitions"), 1);
  assert.is(value('log_size_bytes{topic="a"}'), 44);
  assert.is(value('limit_hits_total{limit="max.connections"}'), 1);
  assert.is(
    value(
      'http_request_duration_seconds_count{method="GET",route="/v1/topics/:topic",status="4xx"}',
    ),
    1,
  );
  for (const name of Object.keys(METRICS)) {
    // Of one topic's partitions, and of gateways, which have a page of their own.
    if (/^(partition|gateway)_/.test(name)) continue;
    assert.ok(
      [...samples.keys()].some((key) => key.startsWith(METRIC_PREFIX + name)),
      `${name} is not shown`,
    );
  }
});

test("exposition() names the busiest topics and sums the rest exactly", async () => {
  const metrics = new Metrics(new FakeClock());
  const names = Array.from({ length: 30 }, (_, index) => `t${index}`);
  for (const [index, name] of names.entries()) metrics.topic(name).bytesIn = index + 1;
  metrics.topic("other").bytesIn = 10_000;
  metrics.topic("gone").bytesIn = 7;
  metrics.forgetTopic("gone");
  const all = () => [...names, "other"].map((name) => gauges(name, 2));
  const scraper = new Scraper(metrics, sources(all), { topicsMax: 5 });
  const samples = parse((await scraper.exposition()).body);
  const topicsOf = (metric: string) =>
    [...samples.keys()]
      .filter((key) => key.startsWith(METRIC_PREFIX + metric) && !key.includes('dir="out"'))
      .map((key) => /topic="([^"]*)"/.exec(key)![1]!);
  assert.equal(topicsOf("topic_bytes_total").sort(), ["other", "t25", "t26", "t27", "t28", "t29"]);
  assert.equal(topicsOf("log_size_bytes").sort(), ["other", "t25", "t26", "t27", "t28", "t29"]);
  const rest = (25 * 26) / 2 + 10_000 + 7;
  assert.is(samples.get('timberline_topic_bytes_total{topic="other",dir="in"}'), rest);
  assert.is(samples.get('timberline_log_size_bytes{topic="other"}'), 26 * 2);
});

test("exposition() is kept for a second and then made anew", async () => {
  const clock = new FakeClock();
  const metrics = busyMetrics(clock);
  const scraper = new Scraper(metrics, sources());
  const first = await scraper.exposition();
  metrics.limitHit("max.connections");
  clock.advance(999);
  assert.is(await scraper.exposition(), first);
  clock.advance(1);
  assert.match((await scraper.exposition()).body, /limit_hits_total\{limit="max.connections"\} 2/);
});

test("exposition() lets the event loop turn during a long answer", async () => {
  const clock = new FakeClock();
  const metrics = new Metrics(clock);
  for (let index = 0; index < 2000; index++) metrics.topic(`t${index}`).bytesIn = 1;
  const scraper = new Scraper(metrics, sources(), { topicsMax: 2000 });
  await scraper.exposition();
  assert.ok(clock.turns > 5, `${clock.turns} turns`);
});

test("labels are escaped and cut", async () => {
  const metrics = new Metrics(new FakeClock());
  metrics.limitHit('a"b\\c\nd');
  metrics.limitHit("x".repeat(500));
  const { body } = await new Scraper(metrics, sources()).exposition();
  assert.ok(body.includes('limit="a\\"b\\\\c\\nd"'));
  assert.ok(body.includes(`limit="${"x".repeat(119)}…"`));
  parse(body);
});

test("detail() shows one topic's partitions, and none of an unknown topic", async () => {
  const scraper = new Scraper(new Metrics(new FakeClock()), sources());
  assert.is(scraper.detail("unknown"), undefined);
  const samples = parse((await scraper.detail("a"))!.body);
  assert.is(samples.get('timberline_partition_high_watermark{topic="a",partition="0"}'), 3);
  assert.is(samples.size, 5);
});

test("probeLoop() measures how late its timer runs, and stops", () => {
  const clock = new FakeClock();
  const metrics = new Metrics(clock);
  const stop = metrics.probeLoop();
  clock.advance(500);
  clock.advance(750);
  assert.is(metrics.loopDelay.count, 2);
  assert.is(metrics.loopDelay.sum, 250_000);
  stop();
  assert.is(clock.timers, 0);
});

test.run();
