// MemoryStore against a plain map and a sort.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { MemoryStore } from "../../../runtime/streams/store.ts";
import { SeededRandom } from "../../support/random.ts";

test("range() is in the order of the bytes, whatever was put and deleted", () => {
  const random = new SeededRandom(7);
  const store = new MemoryStore();
  const model = new Map<string, number>();
  for (let i = 0; i < 6_000; i++) {
    const key = Uint8Array.of(random.below(4), random.below(256), random.below(8));
    if (random.oneIn(3)) {
      store.delete(key);
      model.delete(Buffer.from(key).toString("hex"));
    } else {
      store.put(key, Uint8Array.of(i & 255));
      model.set(Buffer.from(key).toString("hex"), i & 255);
    }
  }
  assert.is(store.size, model.size);
  for (const prefix of [[], [0], [2], [2, 200], [3, 255, 7], [9]]) {
    const hex = Buffer.from(prefix).toString("hex");
    const expected = [...model].filter(([key]) => key.startsWith(hex)).sort();
    const found = Array.from(store.range(Uint8Array.from(prefix)), ({ key, value }) => [
      Buffer.from(key).toString("hex"),
      value[0],
    ]);
    assert.equal(found, expected);
  }
});

test("commit() tells each changed key once, with what it has now", () => {
  const store = new MemoryStore();
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
  store.put(a, Uint8Array.of(1));
  store.put(a, Uint8Array.of(2));
  store.put(b, Uint8Array.of(3));
  store.delete(b);
  assert.equal(store.commit(), [
    { key: a, value: Uint8Array.of(2) },
    { key: b, value: null },
  ]);
  assert.equal(store.commit(), []);
});

test.run();
