// Times and durations of the command line.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  compileStrftime,
  compileStrptime,
  formatDurationMs,
  formatTimeIso,
  parseDurationMs,
  parseTimeMs,
} from "../../../runtime/cli/time-spec.ts";

const NOW = Date.UTC(2026, 0, 15, 12);

test("parseDurationMs() adds units and refuses a bare number", () => {
  assert.is(parseDurationMs("1h30m", "x"), 5_400_000);
  assert.is(parseDurationMs("500ms", "x"), 500);
  assert.is(parseDurationMs("0.5s", "x"), 500);
  assert.is(parseDurationMs("2w", "x"), 1_209_600_000);
  assert.throws(() => parseDurationMs("10", "--timeout"), /--timeout.*not a duration/);
  assert.throws(() => parseDurationMs("5 apples", "--timeout"), /not a duration/);
});

test("parseTimeMs() takes relative, epoch seconds, epoch ms and ISO, UTC by default", () => {
  assert.is(parseTimeMs("-15m", NOW), NOW - 900_000);
  assert.is(parseTimeMs("now", NOW), NOW);
  assert.is(parseTimeMs("978307200", NOW), 978_307_200_000);
  assert.is(parseTimeMs("978307200000", NOW), 978_307_200_000);
  assert.is(parseTimeMs("2001-01-01", NOW), 978_307_200_000);
  assert.is(parseTimeMs("2001-01-01T00:00", NOW), 978_307_200_000);
  assert.is(parseTimeMs("2001-01-01 00:00:00.250", NOW), 978_307_200_250);
  assert.is(parseTimeMs("2001-01-01T01:00:00+01:00", NOW), 978_307_200_000);
  assert.throws(() => parseTimeMs("yesterdayish", NOW), /not a time/);
  assert.throws(() => parseTimeMs("2001-99-01", NOW), /not a time/);
});

test("compileStrftime() writes and compileStrptime() reads the same letters", () => {
  const timeMs = Date.UTC(2001, 1, 3, 4, 5, 6, 7);
  assert.is(compileStrftime("%F %T.%L")(timeMs), "2001-02-03 04:05:06.007");
  assert.is(compileStrftime("%Y/%m/%d %H-%M-%S %s%%")(timeMs), "2001/02/03 04-05-06 981173106%");
  assert.is(compileStrptime("%F %T.%L")("2001-02-03 04:05:06.007"), timeMs);
  assert.is(compileStrptime("(%Y)")("(2001)"), Date.UTC(2001, 0, 1));
  assert.is(compileStrptime("%F")("not a date"), undefined);
  assert.throws(() => compileStrftime("%Q"), /not known/);
});

test("formatTimeIso() survives timestamps that no Date can hold", () => {
  assert.is(formatTimeIso(0), "1970-01-01T00:00:00.000Z");
  assert.is(formatTimeIso(9e15), "9000000000000000");
});

test("formatDurationMs() shows the two largest units", () => {
  assert.is(formatDurationMs(83_000), "1m 23s");
  assert.is(formatDurationMs(90_061_000), "1d 1h");
  assert.is(formatDurationMs(12), "12ms");
});

test.run();
