// Formats of __consumer_offsets against bytes: Kafka's tools and brokers read them, so not one may change.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  decodeGroupRecord,
  encodeGroupRecord,
  type GroupRecord,
} from "../../../runtime/groups/group-records.ts";

const topicId = "AAECAwQFBgcICQoLDA0ODw";
const topicIdHex = "000102030405060708090a0b0c0d0e0f";

function hex(bytes: Uint8Array | null): string | null {
  return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const partitions = [{ topicId, partitions: [1, 2] }];
const partitionsHex = `02${topicIdHex}03000000010000000200`;

const golden: readonly [name: string, record: GroupRecord, key: string, value: string | null][] = [
  [
    "offset, version 4",
    {
      kind: "offset",
      groupId: "g1",
      topic: "t",
      partition: 5,
      value: {
        offset: 258,
        leaderEpoch: 7,
        metadata: "m",
        commitTimestampMs: 0x0102030405,
        expireTimestampMs: -1,
      },
    },
    "000100026731000174 00000005",
    "0004 0000000000000102 00000007 026d 0000000102030405 00",
  ],
  [
    "offset with an expiry, version 1",
    {
      kind: "offset",
      groupId: "g1",
      topic: "t",
      partition: 5,
      value: {
        offset: 258,
        leaderEpoch: -1,
        metadata: "",
        commitTimestampMs: 5,
        expireTimestampMs: 9,
      },
    },
    "000100026731000174 00000005",
    "0001 0000000000000102 0000 0000000000000005 0000000000000009",
  ],
  [
    "offset forgotten",
    { kind: "offset", groupId: "g1", topic: "t", partition: 5, value: null },
    "000100026731000174 00000005",
    null,
  ],
  [
    "classic group, version 3",
    {
      kind: "classic-group",
      groupId: "g1",
      value: {
        protocolType: "consumer",
        generation: 2,
        protocol: "range",
        leader: "m1",
        currentStateTimestampMs: 3,
        members: [
          {
            memberId: "m1",
            groupInstanceId: null,
            clientId: "c",
            clientHost: "/h",
            rebalanceTimeoutMs: 4,
            sessionTimeoutMs: 5,
            subscription: unhex("aa"),
            assignment: unhex("bbcc"),
          },
        ],
      },
    },
    "000200026731",
    "0003 0008636f6e73756d6572 00000002 000572616e6765 00026d31 0000000000000003 00000001" +
      "00026d31 ffff 000163 00022f68 00000004 00000005 00000001aa 00000002bbcc",
  ],
  [
    "consumer group",
    { kind: "consumer-group", groupId: "g1", value: { epoch: 9 } },
    "000300026731",
    "0000 00000009 00",
  ],
  [
    "consumer member",
    {
      kind: "consumer-member",
      groupId: "g1",
      memberId: "m",
      value: {
        instanceId: null,
        rackId: "r",
        clientId: "c",
        clientHost: "/h",
        topicNames: ["t"],
        topicRegex: null,
        rebalanceTimeoutMs: 6,
        serverAssignor: "uniform",
        classic: { sessionTimeoutMs: 7, protocols: [{ name: "p", metadata: unhex("dd") }] },
      },
    },
    "000500026731 00016d",
    "0000 00 0272 0263 032f68 02 0274 00 00000006 08756e69666f726d" +
      "01 00 0c 01 00000007 02 0270 02dd 00 00",
  ],
  [
    "target epoch",
    { kind: "consumer-target", groupId: "g1", value: { assignmentEpoch: 9 } },
    "000600026731",
    "0000 00000009 00",
  ],
  [
    "target of a member",
    { kind: "consumer-target-member", groupId: "g1", memberId: "m", value: { partitions } },
    "000700026731 00016d",
    `0000 ${partitionsHex} 00`,
  ],
  [
    "current assignment",
    {
      kind: "consumer-current",
      groupId: "g1",
      memberId: "m",
      value: {
        memberEpoch: 3,
        previousMemberEpoch: 2,
        state: 2,
        assigned: partitions,
        pendingRevocation: [],
      },
    },
    "000800026731 00016d",
    `0000 00000003 00000002 02 ${partitionsHex} 01 00`,
  ],
  [
    "expression",
    {
      kind: "consumer-regex",
      groupId: "g1",
      regex: "t.*",
      value: { topics: ["t1"], version: 4, timestampMs: 5 },
    },
    "001000026731 0003742e2a",
    "0000 02 037431 0000000000000004 0000000000000005 00",
  ],
];

for (const [name, record, key, value] of golden) {
  test(`encodeGroupRecord() writes the bytes of: ${name}`, () => {
    const encoded = encodeGroupRecord(record);
    assert.is(hex(encoded.key), key.replaceAll(" ", ""));
    assert.is(hex(encoded.value), value?.replaceAll(" ", "") ?? null);
  });

  test(`decodeGroupRecord() reads the bytes of: ${name}`, () => {
    const stored = { key: bytesOf(key), value: value === null ? null : bytesOf(value) };
    assert.equal(decodeGroupRecord(stored), record);
  });
}

function bytesOf(text: string): Uint8Array {
  return unhex(text.replaceAll(" ", ""));
}

test("encodeGroupRecord() writes an offset with its topic's id as Kafka 4.1.1 was seen to", () => {
  const record: GroupRecord = {
    kind: "offset",
    groupId: "g",
    topic: "t",
    topicId,
    partition: 3,
    value: {
      offset: 5,
      leaderEpoch: 7,
      metadata: "meta",
      commitTimestampMs: 1000,
      expireTimestampMs: -1,
    },
  };
  const { key, value } = encodeGroupRecord(record);
  assert.is(hex(key), "000100016700017400000003");
  const start = "0004 0000000000000005 00000007 05 6d657461 00000000000003e8";
  assert.is(hex(value), `${start} 01 00 10 ${topicIdHex}`.replaceAll(" ", ""));
});

test("decodeGroupRecord() reads older and newer versions of an offset", () => {
  const key = bytesOf("000100026731000174 00000005");
  const offsetOf = (value: string) => {
    const record = decodeGroupRecord({ key, value: bytesOf(value) });
    return record?.kind === "offset" ? record.value : undefined;
  };
  const common = { metadata: "m", leaderEpoch: -1, expireTimestampMs: -1 };
  const expected = { ...common, offset: 1, commitTimestampMs: 2 };
  assert.equal(offsetOf("0000 0000000000000001 00016d 0000000000000002"), expected);
  assert.equal(offsetOf("0002 0000000000000001 00016d 0000000000000002"), expected);
  const third = "0003 0000000000000001 00000003 00016d 0000000000000002";
  assert.equal(offsetOf(third), { ...expected, leaderEpoch: 3 });
  const flexible = `0004 0000000000000001 00000003 026d 0000000000000002 01 00 10${topicIdHex}`;
  assert.equal(offsetOf(flexible), { ...expected, leaderEpoch: 3 });
});

test("decodeGroupRecord() passes over kinds it does not know and refuses what ends early", () => {
  assert.is(decodeGroupRecord({ key: bytesOf("0063"), value: bytesOf("0000") }), undefined);
  const cut = { key: bytesOf("000100026731000174 00000005"), value: bytesOf("0003 0000") };
  assert.throws(() => decodeGroupRecord(cut), /ends early/);
});

test.run();
