// What a topology is told before anything runs, and what it says of itself.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  int,
  json,
  session,
  topic,
  topology,
  tumbling,
  utf8,
} from "../../../runtime/streams/mod.ts";

const numbers = topic("numbers", { key: utf8, value: int });
const keyless = topic("keyless", { value: int });
const objects = topic("objects", { key: json<{ id: number }>(), value: int });

function refused(build: (built: ReturnType<typeof topology>) => void, reason: RegExp): void {
  const built = topology("app", { version: 1 });
  assert.throws(() => {
    build(built);
    built.plan();
  }, reason);
}

test("plan() refuses what cannot run, and says what to do", () => {
  refused(() => {}, /reads no topic/);
  refused((built) => built.stream(keyless).count("n"), /needs keys: use keyBy/);
  refused((built) => {
    built.stream(numbers).count("n");
    built.stream(numbers).count("n");
  }, /both named "n"/);
  refused((built) => built.stream(numbers).count("a b"), /is no topic name/);
  refused((built) => {
    const texts = built.stream(numbers).map((value) => `${value}`);
    texts.keyBy("by", (value) => value, utf8).count("n");
  }, /give the map before it a codec/);
  refused((built) => {
    const table = built.table("objects", objects);
    const wrong = table as unknown as ReturnType<typeof built.table<string, number>>;
    built.stream(numbers).join("j", wrong, (a, b) => a + b);
  }, /keys of the stream are utf8, those of table "objects" json/);
  refused((built) => {
    const sessions = built.stream(numbers).window(session("1m", { grace: 0 }));
    sessions.aggregate("s", { init: () => 0, add: (n) => n, value: int });
  }, /say how by merge/);
  assert.throws(() => tumbling("0s", { grace: 0 }), /above 0/);
  assert.throws(() => topology("a", { version: 0.5 }).plan(), /whole number/);
});

test("describe() shows subtopologies, internal topics and windows", () => {
  const built = topology("app", { version: 2 });
  const keyed = built.stream(numbers).keyBy("parity", (n) => (n % 2 === 0 ? "even" : "odd"), utf8);
  keyed.window(tumbling("1m", { grace: "5s" })).count("hits");
  keyed.count("all").to(numbers);
  const text = built.describe();
  assert.match(text, /subtopology 0 reads numbers/);
  assert.match(text, /subtopology 1 reads app-v2-parity-repartition/);
  assert.match(text, /store app-v2-hits-changelog; tumbling 60000 ms, grace 5000 ms/);
  assert.is(built.plan().subtopologies.length, 2);
});

test("a keyBy that nothing keeps state behind makes no topic", () => {
  const built = topology("app", { version: 1 });
  built
    .stream(numbers)
    .keyBy("other", (n) => `${n}`, utf8)
    .to(numbers);
  assert.is(built.plan().subtopologies.length, 1);
  assert.not.match(built.describe(), /repartition/);
});

test.run();
