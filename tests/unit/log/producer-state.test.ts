// Duplicates, gaps, fences and the snapshot that remembers them.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import { decodeSnapshot, encodeSnapshot } from "../../../runtime/log/producer-snapshot.ts";
import { ProducerState, sequenceAfter } from "../../../runtime/log/producer-state.ts";
import type { BatchHeader } from "../../../storage-wasm/core.ts";
import { platform } from "../../support/log-fixture.ts";

const maxSequence = 2 ** 31 - 1;

function batch(options: {
  sequence: number;
  count?: number;
  epoch?: number;
  offset?: number;
  timestamp?: number;
}): BatchHeader {
  const { sequence, count = 1, epoch = 0, offset = 0, timestamp = 1000 } = options;
  return {
    bytes: 100,
    baseOffset: offset,
    lastOffset: offset + count - 1,
    leaderEpoch: 0,
    crc: 0,
    attributes: 0,
    codec: 0,
    isTransactional: false,
    isControl: false,
    isLogAppendTime: false,
    baseTimestamp: timestamp,
    maxTimestamp: timestamp,
    producerId: 7,
    producerEpoch: epoch,
    baseSequence: sequence,
    count,
  };
}

const refuses = (code: string) => (error: unknown) =>
  error instanceof BrokerError && error.code === code;

/** A state that has seen batches of 10 records with these first sequences, at offsets of their own. */
function seen(...sequences: number[]): ProducerState {
  const state = new ProducerState();
  for (const [i, sequence] of sequences.entries()) {
    state.update(batch({ sequence, count: 10, offset: i * 10 }));
  }
  return state;
}

test("duplicateOf() knows the last five batches by their original offsets", () => {
  const state = seen(0, 10, 20, 30, 40, 50);
  for (const sequence of [10, 20, 30, 40, 50]) {
    assert.is(state.duplicateOf(batch({ sequence, count: 10 })), sequence);
  }
  assert.throws(
    () => state.duplicateOf(batch({ sequence: 0, count: 10 })),
    refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"),
  );
});

test("duplicateOf() takes the next sequence and refuses a gap", () => {
  const state = seen(0);
  assert.is(state.duplicateOf(batch({ sequence: 10 })), undefined);
  assert.throws(
    () => state.duplicateOf(batch({ sequence: 11 })),
    refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"),
  );
});

test("duplicateOf() does not take another batch with the same first sequence for a repeat", () => {
  assert.throws(
    () => seen(0).duplicateOf(batch({ sequence: 0, count: 9 })),
    refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"),
  );
});

test("sequences wrap from 2^31 − 1 to 0, also inside a batch", () => {
  assert.is(sequenceAfter(maxSequence, 1), 0);
  const state = new ProducerState();
  state.update(batch({ sequence: maxSequence - 4, count: 10 }));
  assert.is(state.duplicateOf(batch({ sequence: 5 })), undefined);
  assert.is(state.duplicateOf(batch({ sequence: maxSequence - 4, count: 10 })), 0);
  assert.throws(() => state.duplicateOf(batch({ sequence: 6 })));
});

test("a newer epoch must begin at 0 and fences the older one", () => {
  const state = seen(0);
  assert.throws(
    () => state.duplicateOf(batch({ sequence: 10, epoch: 1 })),
    refuses("OUT_OF_ORDER_SEQUENCE_NUMBER"),
  );
  const next = batch({ sequence: 0, epoch: 1, offset: 10 });
  assert.is(state.duplicateOf(next), undefined);
  state.update(next);
  assert.throws(
    () => state.duplicateOf(batch({ sequence: 10, epoch: 0 })),
    refuses("INVALID_PRODUCER_EPOCH"),
  );
});

test("an unknown producer may begin anywhere: its state may have expired", () => {
  assert.is(new ProducerState().duplicateOf(batch({ sequence: 1234 })), undefined);
});

test("expire() forgets who was silent, not who was not", () => {
  const state = seen(0);
  state.expire(1000);
  assert.is(state.size, 1);
  state.expire(1001);
  assert.is(state.size, 0);
});

test("a snapshot brings back the newest batch of every producer", () => {
  const crc = (bytes: Uint8Array) => platform.core.crc32c(bytes);
  const state = new ProducerState();
  state.update(batch({ sequence: maxSequence - 1, count: 4, offset: 2 ** 40 }));
  const entries = decodeSnapshot(encodeSnapshot(state.entries(), crc), crc);
  assert.equal(entries, state.entries());
  const loaded = new ProducerState();
  loaded.load(entries!);
  const repeat = batch({ sequence: maxSequence - 1, count: 4 });
  assert.is(loaded.duplicateOf(repeat), 2 ** 40);
  assert.is(loaded.duplicateOf(batch({ sequence: 2 })), undefined);
});

test("decodeSnapshot() refuses torn, flipped and foreign bytes", () => {
  const crc = (bytes: Uint8Array) => platform.core.crc32c(bytes);
  const good = encodeSnapshot(seen(0).entries(), crc);
  for (let length = 0; length < good.length; length++) {
    assert.is(decodeSnapshot(good.slice(0, length), crc), undefined);
  }
  for (let i = 0; i < good.length; i++) {
    const bad = good.slice();
    bad[i]! ^= 1;
    assert.is(decodeSnapshot(bad, crc), undefined, `bit flipped in byte ${i}`);
  }
});

test.run();
