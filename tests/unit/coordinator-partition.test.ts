// Where groups and transactional ids live: by the absolute value of Java's hash, not by its lower bits.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { coordinatorPartition, javaHash } from "../../runtime/coordinator-partition.ts";

test("javaHash() is Java's String.hashCode", () => {
  assert.is(javaHash(""), 0);
  assert.is(javaHash("hello"), 99_162_322);
  assert.is(javaHash("console-consumer"), -648_006_740);
});

test("coordinatorPartition() takes the absolute value of a negative hash", () => {
  assert.is(coordinatorPartition("hello", 50), 22);
  assert.is(coordinatorPartition("console-consumer", 50), 40);
  assert.is(coordinatorPartition("billing", 50), 9);
  // Its hash is -2^31, which has no absolute value.
  assert.is(coordinatorPartition("polygenelubricants", 50), 0);
});

test.run();
