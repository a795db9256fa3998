// Topologies in the test driver: what each operator does to records, and that a restart from changelogs changes no
// result.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Duration,
  deadLetter,
  drive,
  hopping,
  int,
  json,
  StreamsError,
  session,
  topic,
  topology,
  tumbling,
  utf8,
  windowed,
} from "../../../runtime/streams/mod.ts";
import { SeededRandom } from "../../support/random.ts";

interface Flight {
  readonly origin: string;
  readonly delay: number;
}

const flights = topic("flights", { key: utf8, value: json<Flight>() });
const airports = topic("airports", { key: utf8, value: utf8 });
const sums = topic("sums", { key: windowed(utf8), value: int });
const totals = topic("totals", { key: utf8, value: int });
const texts = topic("texts", { key: utf8, value: utf8 });
const start = { startMs: 100_000_000, seed: 1 };

function delays(emit: "each" | "on-close", grace: Duration = 0) {
  const built = topology("delays", { version: 1 });
  built
    .stream(flights)
    .filter((flight) => flight.delay > 0)
    .keyBy("by-origin", (flight) => flight.origin, utf8)
    .window(tumbling("10s", { grace, late: "late" }))
    .aggregate("delay", { init: () => 0, add: (sum, flight) => sum + flight.delay, value: int })
    .emit(emit)
    .to(sums);
  return built;
}

test("steps keep the key; branch() sends each record to its first match, or to rest", () => {
  const built = topology("steps", { version: 1 });
  const looked: string[] = [];
  const { late, rest } = built
    .stream(flights)
    .peek((flight, { key }) => looked.push(`${key} ${flight.origin}`))
    .branch({ late: (flight) => flight.delay > 10 });
  late.map((flight) => flight.origin).to(texts);
  rest.flatMap((flight) => [flight.delay, flight.delay + 1]).to(totals);
  const driver = drive(built, start);
  driver.pipe(flights, { key: "a", value: { origin: "ORD", delay: 30 } });
  driver.pipe(flights, { key: "b", value: { origin: "SFO", delay: 1 } });
  assert.equal(looked, ["a ORD", "b SFO"]);
  assert.equal(
    driver.read(texts).map(({ key, value }) => [key, value]),
    [["a", "ORD"]],
  );
  assert.equal(
    driver.read(totals).map(({ key, value }) => [key, value]),
    [
      ["b", 1],
      ["b", 2],
    ],
  );
});

test("a window's result leaves once, when the watermark reaches its end", () => {
  const driver = drive(delays("on-close"), start);
  const pipe = (origin: string, delay: number, timestampMs: number) =>
    driver.pipe(flights, { key: "x", value: { origin, delay }, timestampMs });
  pipe("ORD", 5, 1_000);
  pipe("ORD", 7, 9_999);
  pipe("SFO", 1, 9_999);
  pipe("SFO", -1, 50_000); // Filtered: its time goes no further than the first task.
  assert.equal(driver.read(sums), []);
  pipe("ORD", 2, 10_000);
  assert.equal(
    driver.read(sums).map(({ key, value, timestampMs }) => [key, value, timestampMs]),
    [
      [{ key: "ORD", start: 0, end: 10_000 }, 12, 9_999],
      [{ key: "SFO", start: 0, end: 10_000 }, 1, 9_999],
    ],
  );
  assert.equal(driver.windows("delay", { key: utf8, value: int }), [
    [{ key: "ORD", start: 10_000, end: 20_000 }, 2],
  ]);
});

test("late records are counted and go to the late topic as they were; grace moves the limit", () => {
  const driver = drive(delays("each", "5s"), start);
  const late = topic("late", { key: utf8, value: json<Flight>() });
  const pipe = (delay: number, timestampMs: number) =>
    driver.pipe(flights, { key: "x", value: { origin: "ORD", delay }, timestampMs });
  pipe(1, 14_999);
  pipe(2, 3_000);
  assert.is(driver.counts.late, 0);
  pipe(3, 15_000);
  pipe(4, 3_000);
  assert.is(driver.counts.late, 1);
  const [letter] = driver.read(late);
  assert.equal(letter?.value, { origin: "ORD", delay: 4 });
  assert.is(letter?.timestampMs, 3_000);
  assert.is(letter?.headers["timberline.operator"], "delay");
});

test("hopping windows overlap; a record counts in each", () => {
  const built = topology("hops", { version: 1 });
  const window = hopping("10s", { every: "5s", grace: 0 });
  built.stream(totals).window(window).count("hits").emit("each").to(sums);
  const driver = drive(built, start);
  driver.pipe(totals, { key: "k", value: 1, timestampMs: 12_000 });
  driver.pipe(totals, { key: "k", value: 1, timestampMs: 16_000 });
  assert.equal(
    driver.read(sums).map(({ key, value }) => [key.start, value]),
    [
      [5_000, 1],
      [10_000, 1],
      [10_000, 2],
      [15_000, 1],
    ],
  );
});

test("sessions become one by a record between them, and take back what they swallow", () => {
  const built = topology("sessions", { version: 1 });
  const window = session("10s", { grace: "1m" });
  built
    .stream(totals)
    .window(window)
    .reduce("sum", (a, b) => a + b)
    .emit("each")
    .to(sums);
  const driver = drive(built, start);
  for (const [timestampMs, value] of [
    [1_000, 1],
    [21_000, 2],
    [11_000, 4],
  ] as const) {
    driver.pipe(totals, { key: "k", value, timestampMs });
  }
  assert.equal(
    driver.read(sums).map(({ key, value }) => [key.start, key.end, value]),
    [
      [1_000, 1_001, 1],
      [21_000, 21_001, 2],
      [1_000, 1_001, null],
      [21_000, 21_001, null],
      [1_000, 21_001, 7],
    ],
  );
});

test("join() takes the table's value of the moment; leftJoin() goes on without one", () => {
  const built = topology("joins", { version: 1 });
  const table = built.table("airports", airports);
  const stream = built.stream(flights).keyBy("by-origin", (flight) => flight.origin, utf8);
  stream.join("inner", table, (flight, city) => `${city} ${flight.delay}`).to(texts);
  stream.leftJoin("left", table, (flight, city) => flight.delay + (city?.length ?? 0)).to(totals);
  const driver = drive(built, { ...start, partitions: 3 });
  const fly = (delay: number) =>
    driver.pipe(flights, { key: "x", value: { origin: "ORD", delay } });
  fly(1);
  driver.pipe(airports, { key: "ORD", value: "Chicago" });
  fly(2);
  driver.pipeBytes("airports", { key: utf8.encode("ORD"), value: null });
  fly(3);
  assert.equal(
    driver.read(texts).map(({ value }) => value),
    ["Chicago 2"],
  );
  assert.equal(
    driver.read(totals).map(({ value }) => value),
    [1, 9, 3],
  );
});

test("a poison record goes to the dead-letter topic by its policy, and leaves no effect", () => {
  const built = topology("poison", { version: 1 });
  const stream = built.stream(flights);
  stream.count("all").to(totals);
  stream
    .map((flight) => {
      if (flight.delay === 13) throw new Error("unlucky");
      return flight.origin;
    })
    .to(texts);
  const onError = { decode: "skip", process: deadLetter("dead") } as const;
  const driver = drive(built, { ...start, onError });
  driver.pipe(flights, { key: "a", value: { origin: "ORD", delay: 13 } });
  driver.pipeBytes("flights", { key: utf8.encode("a"), value: utf8.encode("{") });
  driver.pipe(flights, { key: "a", value: { origin: "ORD", delay: 1 } });
  assert.equal(
    driver.read(totals).map(({ value }) => value),
    [1],
  );
  assert.equal(driver.counts, { processed: 1, late: 0, skipped: 1, deadLettered: 1 });
  const [letter] = driver.read(topic("dead", { key: utf8, value: json<Flight>() }));
  assert.equal(letter?.value, { origin: "ORD", delay: 13 });
  assert.is(letter?.headers["timberline.message"], "unlucky");
  assert.is(letter?.headers["timberline.topic"], "flights");
  assert.is(letter?.headers["timberline.offset"], "0");
});

test("without a policy the application stops before the record, and says which", () => {
  const driver = drive(delays("each"), start);
  const wrong = { key: "x", value: { origin: "ORD", delay: 1 }, timestampMs: -5 };
  assert.throws(
    () => driver.pipe(flights, wrong),
    (error: unknown) =>
      error instanceof StreamsError && /decode of flights-0 at offset 0/.test(error.message),
  );
  assert.throws(
    () => driver.pipe(flights, { ...wrong, timestampMs: start.startMs + 3_600_001 }),
    /more than an hour ahead/,
  );
});

test("a silent input holds event time back until it is idle", () => {
  const built = topology("idle", { version: 1 });
  const other = topic("other", { key: utf8, value: int });
  const both = built.stream(totals).merge(built.stream(other));
  both
    .window(tumbling("10s", { grace: 0 }))
    .count("hits")
    .to(sums);
  const driver = drive(built, start);
  driver.pipe(totals, { key: "k", value: 1, timestampMs: 1_000 });
  driver.advance(20_000);
  driver.pipe(totals, { key: "k", value: 1, timestampMs: 30_000 });
  assert.is(driver.read(sums).length, 0);
  driver.advance(10_000);
  assert.is(driver.read(sums).length, 1);
});

test("windows behind windows take results that leave at their own end", () => {
  const built = topology("chain", { version: 1 });
  const minutes = built
    .stream(totals)
    .window(tumbling("10s", { grace: 0 }))
    .count("small");
  const again = minutes.toStream().map((count) => count ?? 0, int);
  again.window(tumbling("10s", { grace: 0 })).reduce("large", (a, b) => a + b);
  const driver = drive(built, start);
  for (let i = 0; i < 5; i++) driver.pipe(totals, { key: "k", value: 1, timestampMs: i * 4_000 });
  assert.is(driver.counts.late, 0);
});

test("a restart from changelogs at any point changes no result", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const records = Array.from({ length: 120 }, (_, i) => ({
      key: `k${random.below(9)}`,
      value: { origin: random.pick(["ORD", "SFO", "JFK"]), delay: random.below(20) },
      timestampMs: i * 700 + random.below(4_000),
    }));
    const runs = [false, true].map((restarts) => {
      const driver = drive(delays("on-close", "2s"), { ...start, seed, partitions: 2 });
      for (const record of records) {
        driver.pipe(flights, record);
        if (restarts && random.oneIn(5)) driver.restart();
      }
      return { sums: driver.read(sums), late: driver.read({ ...flights, name: "late" }) };
    });
    assert.ok(runs[0]!.sums.length > 5);
    assert.equal(runs[1], runs[0], `seed ${seed}`);
  }
});

test("sums of tumbling windows equal a plain computation over shuffled records within the grace", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new SeededRandom(seed);
    const expected = new Map<string, number>();
    const driver = drive(delays("each", "1h"), { ...start, seed, partitions: 3 });
    for (let i = 0; i < 200; i++) {
      const timestampMs = random.below(100_000);
      const value = { origin: random.pick(["ORD", "SFO", "JFK"]), delay: 1 + random.below(20) };
      const name = `${value.origin} ${Math.floor(timestampMs / 10_000) * 10_000}`;
      expected.set(name, (expected.get(name) ?? 0) + value.delay);
      driver.pipe(flights, { key: `${i}`, value, timestampMs });
    }
    const last = new Map<string, number>();
    for (const { key, value } of driver.read(sums)) last.set(`${key.key} ${key.start}`, value!);
    assert.equal([...last].sort(), [...expected].sort(), `seed ${seed}`);
  }
});

test.run();
