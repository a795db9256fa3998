// Offset ranges as typed after -o, and partition lists.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseOffsetRange, parsePartitions } from "../../../runtime/cli/offset-spec.ts";

const NOW = 1_000_000_000_000;
const range = (text: string) => parseOffsetRange(text, NOW);

test("parseOffsetRange() knows kcat's words", () => {
  assert.equal(range("beginning"), { start: { kind: "begin" }, stop: null });
  assert.equal(range("end"), { start: { kind: "end" }, stop: null });
  assert.equal(range("42"), { start: { kind: "offset", offset: 42 }, stop: null });
  assert.equal(range("-100"), { start: { kind: "tail", count: 100 }, stop: null });
});

test("parseOffsetRange() splits ranges, but not inside a time", () => {
  assert.equal(range("@2001-01-01T10:30"), {
    start: { kind: "time", timeMs: Date.UTC(2001, 0, 1, 10, 30) },
    stop: null,
  });
  assert.equal(range("@2001-01-01T10:30:@2001-01-01T11:30:00Z"), {
    start: { kind: "time", timeMs: Date.UTC(2001, 0, 1, 10, 30) },
    stop: { kind: "time", timeMs: Date.UTC(2001, 0, 1, 11, 30) },
  });
  assert.equal(range("@-15m:end"), {
    start: { kind: "time", timeMs: NOW - 900_000 },
    stop: { kind: "end" },
  });
  assert.equal(range(":end"), { start: { kind: "begin" }, stop: { kind: "end" } });
  assert.equal(range("10:20"), {
    start: { kind: "offset", offset: 10 },
    stop: { kind: "offset", offset: 20 },
  });
  assert.equal(range("-5:@now"), {
    start: { kind: "tail", count: 5 },
    stop: { kind: "time", timeMs: NOW },
  });
});

test("parseOffsetRange() says what is wrong", () => {
  for (const bad of ["middle", "1.5", "10:-3", "@", "1:2:3", "99999999999999999999"]) {
    assert.throws(
      () => range(bad),
      (error: Error) => /not a(n offset| time)|negative/.test(error.message),
      bad,
    );
  }
});

test("parsePartitions() reads lists and ranges", () => {
  assert.equal(parsePartitions("5-7,0,2,6"), [0, 2, 5, 6, 7]);
  assert.throws(() => parsePartitions("7-5"), /not a list/);
  assert.throws(() => parsePartitions("a"), /not a list/);
});

test.run();
