// Replica assignments: what a hand-made one may be.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Broker } from "../../../runtime/broker.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { checkAssignments } from "../../../runtime/kafka/replica-assignments.ts";

const brokers = new Map([1, 2, 3].map((id) => [id, {}]));
const broker = { cluster: () => ({ brokers }) } as unknown as Broker;

function refusal(assignments: number[][], replicationFactor?: number): string | undefined {
  try {
    checkAssignments(assignments, { broker, replicationFactor });
    return undefined;
  } catch (error) {
    return error instanceof BrokerError ? error.code : String(error);
  }
}

test("checkAssignments() takes known brokers, each once per partition", () => {
  assert.is(refusal([[1, 2], [2, 3], [3, 1]]), undefined); // biome-ignore format: one line
  assert.is(refusal([[1, 9]]), "INVALID_REPLICA_ASSIGNMENT");
  assert.is(refusal([[1, 2, 1]]), "INVALID_REPLICA_ASSIGNMENT");
  assert.is(refusal([[]]), "INVALID_REPLICA_ASSIGNMENT");
});

test("checkAssignments() wants as many replicas everywhere as the topic has, or the first", () => {
  assert.is(refusal([[1], [1, 2]]), "INVALID_REPLICA_ASSIGNMENT");
  assert.is(refusal([[1], [2]], 2), "INVALID_REPLICA_ASSIGNMENT");
  assert.is(refusal([[1, 2], [2, 3]], 2), undefined); // biome-ignore format: one line
});

test.run();
