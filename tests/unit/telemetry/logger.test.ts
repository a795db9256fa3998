// The log: one line per event in both forms, folded repeats, bounded texts.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { Log, type LogFormat, type LogLevel } from "../../../runtime/telemetry/logger.ts";
import { FakeClock } from "./fake-clock.ts";

function opened(options: { format?: LogFormat; level?: LogLevel } = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = new Log({
    clock,
    level: options.level ?? "info",
    format: options.format ?? "json",
    write: (line) => lines.push(line),
  });
  return { clock, lines, log, logger: log.logger("kafka", { broker: 1 }) };
}

test("a JSON line holds time, level, logger, event, message and fields", () => {
  const { logger, lines, clock } = opened();
  clock.timeMs = 1_700_000_000_123;
  logger.warn("slow-fsync", "The disk is slow", { ms: 12.5, topic: "a", skip: undefined });
  assert.ok(lines[0]!.endsWith("}\n"));
  assert.equal(JSON.parse(lines[0]!), {
    time: "2023-11-14T22:13:20.123Z",
    level: "warn",
    logger: "kafka",
    event: "slow-fsync",
    message: "The disk is slow",
    broker: 1,
    ms: 12.5,
    topic: "a",
  });
});

test("a text line is one line, whatever is in it", () => {
  const { logger, lines } = opened({ format: "text" });
  logger.info("odd", "first\nsecond\u001b[31m", { name: "a b\n\u009b31m", host: "127.0.0.1:9092" });
  assert.is(
    lines[0],
    '1970-01-01T00:00:00.000Z INFO  kafka/odd: first second [31m broker=1 name="a b\\n 31m" host=127.0.0.1:9092\n',
  );
});

test("an error is written with its code and its causes", () => {
  const { logger, lines } = opened();
  const error = new BrokerError("KAFKA_STORAGE_ERROR", "write failed", {
    cause: new Error("EIO"),
  });
  logger.error("write-failed", "Partition is offline", { error });
  assert.is(JSON.parse(lines[0]!).error, "KAFKA_STORAGE_ERROR: write failed ← Error: EIO");
});

test("setLevel() decides what is written, for all handles", () => {
  const { logger, log, lines } = opened({ level: "warn" });
  logger.info("x", "not written");
  log.setLevel("debug");
  assert.ok(logger.child("log").enabled("debug"));
  logger.child("log", { topic: "a" }).debug("y", "written");
  assert.is(lines.length, 1);
  const { logger: name, broker, topic } = JSON.parse(lines[0]!);
  assert.equal({ name, broker, topic }, { name: "log", broker: 1, topic: "a" });
});

test("repeats of an event are folded, whatever their message, and others are not", () => {
  const { logger, lines, clock } = opened({ format: "text" });
  for (let index = 0; index < 322; index++) logger.warn("refused", `try ${index}`);
  logger.warn("other", "seen");
  assert.is(lines.length, 11);
  clock.advance(60_000);
  assert.is(lines.length, 12);
  assert.match(lines[11]!, /try 321 broker=1 \(× 312 in 60 s\)\n$/);
  logger.warn("refused", "again");
  assert.match(lines[12]!, /again broker=1\n$/);
});

test("flush() writes what is folded; few lines leave nothing behind", () => {
  const { logger, log, lines, clock } = opened();
  logger.info("once", "a line");
  for (let index = 0; index < 12; index++) logger.info("often", "a line");
  log.flush();
  assert.is(lines.length, 12);
  assert.equal(JSON.parse(lines[11]!).folded, { lines: 2, seconds: 60 });
  clock.advance(60_000);
  assert.is(lines.length, 12);
});

test("a flood of different events keeps a bounded number of windows", () => {
  const { logger, clock, lines } = opened();
  for (let index = 0; index < 2000; index++) logger.info(`event-${index}`, "x");
  assert.is(lines.length, 2000);
  clock.advance(60_000);
  assert.is(lines.length, 2000);
});

test("long texts are cut and a field cannot replace the line's own", () => {
  const { logger, lines } = opened();
  logger.info("x", "m".repeat(5000), { level: "error", text: "t".repeat(5000) });
  const line = JSON.parse(lines[0]!);
  assert.is(line.message.length, 2000);
  assert.is(line.text.length, 2000);
  assert.is(line.level, "info");
  assert.is(line.field_level, "error");
});

test.run();
