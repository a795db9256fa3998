// Kafka's text files, as they are written and as they come back.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CheckpointError,
  decodeEpochs,
  decodeOffsets,
  decodePartitionMetadata,
  decodeProperties,
  encodeEpochs,
  encodeOffsets,
  encodePartitionMetadata,
  encodeProperties,
} from "../../../runtime/log/checkpoints.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

test("offset checkpoints have Kafka's lines and come back", () => {
  const entries = [
    { topic: "a.b", partition: 0, offset: 0 },
    { topic: "c", partition: 12, offset: 2 ** 40 },
  ];
  assert.is(text(encodeOffsets(entries)), "0\n2\na.b 0 0\nc 12 1099511627776\n");
  assert.equal(decodeOffsets(encodeOffsets(entries)), entries);
  assert.equal(decodeOffsets(bytes("0\n0\n")), []);
});

test("epoch checkpoints have Kafka's lines and come back", () => {
  const entries = [
    { epoch: 0, startOffset: 0 },
    { epoch: 3, startOffset: 77 },
  ];
  assert.is(text(encodeEpochs(entries)), "0\n2\n0 0\n3 77\n");
  assert.equal(decodeEpochs(encodeEpochs(entries)), entries);
});

test("checkpoints that are torn or of another version are refused", () => {
  for (const bad of [
    "",
    "0",
    "1\n0\n",
    "0\n2\na 0 1\n",
    "0\n1\na 0\n",
    "0\n1\na 0 x\n",
    "0\nx\n",
  ]) {
    assert.throws(
      () => decodeOffsets(bytes(bad)),
      (error: unknown) => error instanceof CheckpointError,
    );
  }
});

test("partition.metadata names the topic id, and nothing else is taken for one", () => {
  const id = "eLTjYDG4lfUlh_dtqOTq-w";
  assert.is(text(encodePartitionMetadata(id)), `version: 0\ntopic_id: ${id}\n`);
  assert.is(decodePartitionMetadata(bytes(`version: 0\ntopic_id: ${id}`)), id);
  assert.is(decodePartitionMetadata(bytes(`version: 1\ntopic_id: ${id}`)), undefined);
  assert.is(decodePartitionMetadata(bytes("version: 0\ntopic_id: short")), undefined);
});

test("decodeProperties() reads what Kafka writes, comments and dates left out", () => {
  const values = decodeProperties(
    bytes("#\n#Mon Nov 23\nnode.id=1\r\nversion = 1\ncluster.id=a=b\n\n"),
  );
  assert.equal(
    [...values],
    [
      ["node.id", "1"],
      ["version", "1"],
      ["cluster.id", "a=b"],
    ],
  );
  assert.equal(decodeProperties(encodeProperties(values)), values);
});

test.run();
