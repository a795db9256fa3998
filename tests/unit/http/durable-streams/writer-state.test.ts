// WriterState is judged as a log would use it: written on one broker, read on another.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Claim,
  closing,
  hasSnapshot,
  producersMax,
  WriterState,
} from "../../../../runtime/http/durable-streams/writer-state.ts";
import type { DecodedRecord } from "../../../../storage-wasm/core.ts";

function claim(given: Partial<Claim> = {}): Claim {
  return { producer: null, seq: null, closes: false, hasBody: true, ...given };
}
const by = (id: string, epoch: number, seq: number) => claim({ producer: { id, epoch, seq } });

/** Stores what the state allows, as a log would keep it. */
class Log {
  readonly records: DecodedRecord[] = [];
  readonly state = new WriterState();

  write(given: Claim): string {
    const verdict = this.state.judge(given);
    if (verdict.kind !== "append") return verdict.kind;
    const headers = this.state.headers(given);
    const offset = this.state.end;
    const value = given.hasBody ? new Uint8Array([1]) : null;
    this.records.push({ offset, timestampMs: 0, key: null, value, headers });
    this.state.apply(given, 1);
    return verdict.kind;
  }

  /** What another broker makes of the records from `from` on. */
  read(from = 0): WriterState {
    const state = new WriterState(from);
    for (const record of this.records.slice(from)) state.fold(record);
    return state;
  }
}

test("WriterState.judge() takes each sequence of a producer once, and in order", () => {
  const log = new Log();
  assert.is(log.write(by("a", 0, 1)), "gap");
  assert.is(log.write(by("a", 0, 0)), "append");
  assert.is(log.write(by("a", 0, 0)), "duplicate");
  assert.is(log.write(by("a", 0, 2)), "gap");
  assert.is(log.write(by("b", 7, 0)), "append");
  assert.is(log.write(by("a", 1, 3)), "epoch-start");
  assert.is(log.write(by("a", 1, 0)), "append");
  assert.is(log.write(by("a", 0, 1)), "stale-epoch");
});

test("WriterState.fold() tells another broker the same", () => {
  const log = new Log();
  log.write(by("a", 2, 0));
  log.write(claim({ seq: "09" }));
  log.write(by("a", 2, 1));
  const state = log.read();
  assert.is(state.end, 3);
  assert.equal(state.judge(by("a", 2, 1)), {
    kind: "duplicate",
    producer: { id: "a", epoch: 2, seq: 1 },
  });
  assert.equal(state.judge(claim({ seq: "08" })), { kind: "late-seq", last: "09" });
  log.write(claim({ closes: true, hasBody: false }));
  const closed = log.read();
  assert.is(closed.closedAt, 3);
  assert.is(closed.judge(claim()).kind, "closed");
  assert.is(closing(log.records[3]!), "only");
});

test("WriterState.headers() carry the whole state now and then, so that a long log is read from there", () => {
  const log = new Log();
  log.write(by("early", 3, 0));
  log.write(claim({ seq: "1" }));
  for (let i = 0; i < 3000; i++) log.write(claim());
  const at = log.records.findLastIndex(hasSnapshot);
  assert.ok(at > 1024, `a snapshot at ${at}`);
  const late = log.read(at);
  assert.is(late.judge(by("early", 3, 0)).kind, "duplicate");
  assert.is(late.judge(claim({ seq: "1" })).kind, "late-seq");
});

test("WriterState.apply() can be taken back", () => {
  const log = new Log();
  log.write(by("a", 0, 0));
  const { state } = log;
  const undoFirst = state.apply(by("a", 0, 1), 1);
  const undoSecond = state.apply({ ...by("a", 0, 2), closes: true }, 1);
  assert.is(state.isClosed, true);
  undoSecond();
  undoFirst();
  assert.is(state.end, 1);
  assert.is(state.isClosed, false);
  assert.is(state.judge(by("a", 0, 1)).kind, "append");
});

test("WriterState forgets the producer that is silent for longest", () => {
  const state = new WriterState();
  for (let i = 0; i <= producersMax; i++) state.apply(by(`p${i}`, 0, 0), 1);
  assert.is(state.judge(by("p0", 0, 1)).kind, "gap");
  assert.is(state.judge(by("p1", 0, 1)).kind, "append");
});

test("WriterState.fold() lets be what others wrote under the names of its headers", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const record = (headers: DecodedRecord["headers"]): DecodedRecord => ({
    ...{ offset: 0, timestampMs: 0, key: null, value: bytes("x") },
    headers,
  });
  const state = new WriterState();
  state.fold(record([{ key: "stream-state", value: bytes("{") }]));
  state.fold(record([{ key: "stream-producer-id", value: bytes("a") }]));
  state.fold(record([{ key: "stream-state", value: null }]));
  assert.is(state.isClosed, false);
});

test.run();
