// Consumer groups through the HTTP door.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { BrokerError } from "../../../runtime/errors.ts";
import type { CommitRequest, GroupCoordinator } from "../../../runtime/group-coordinator.ts";
import { call, get, openDoor, post } from "./door.ts";

const listed = {
  groupId: "g",
  state: "Stable",
  type: "classic",
  protocolType: "consumer",
} as const;

function doorWithGroups() {
  const door = openDoor();
  const commits: CommitRequest[] = [];
  const deleted: string[] = [];
  const groups: Partial<GroupCoordinator> = {
    find: async () => 1,
    list: () => [listed],
    summary(groupId) {
      if (groupId !== "g") throw new BrokerError("GROUP_ID_NOT_FOUND", "no such group");
      const member = { memberId: "m", instanceId: null, clientId: "c", clientHost: "/h" };
      const partitions = [{ topic: "t", partition: 0 }];
      return { ...listed, epoch: 3, members: [{ ...member, partitions }] };
    },
    fetchOffsets: () => [
      { topic: "t", partition: 0, error: null, offset: 1, leaderEpoch: -1, metadata: "x" },
      { topic: "gone", partition: 0, error: null, offset: 1, leaderEpoch: -1, metadata: "" },
    ],
    async commitOffsets(request) {
      commits.push(request);
      return request.offsets.map(({ topic }) =>
        topic === "t" ? null : new BrokerError("UNKNOWN_TOPIC_OR_PARTITION", "no such topic"),
      );
    },
    async delete(groupId) {
      deleted.push(groupId);
    },
  };
  door.broker.groups = groups as GroupCoordinator;
  return { door, commits, deleted };
}

test("groupRoutes() list and describe groups", async () => {
  const { door } = doorWithGroups();
  const group = { group: "g", state: "Stable", protocol: "classic", kind: "consumer" };
  assert.equal((await get(door, "/v1/groups")).body, { groups: [group] });
  const described = await get(door, "/v1/groups/g");
  const member = { member: "m", instance: null, client: "c", host: "/h" };
  const members = [{ ...member, partitions: [{ topic: "t", partition: 0 }] }];
  assert.equal(described.body, { ...group, epoch: 3, members });
  assert.is((await get(door, "/v1/groups/other")).status, 404);
});

test("groupRoutes() tell offsets and lag, also where a topic is gone", async () => {
  const { door } = doorWithGroups();
  await post(door, "/v1/topics", { name: "t", partitions: 1 });
  for (let i = 0; i < 3; i++) await post(door, "/v1/topics/t/records", { value: "v" });
  const { body } = await get(door, "/v1/groups/g/offsets");
  assert.equal(body.offsets, [
    { topic: "gone", partition: 0, offset: 1, metadata: "", end_offset: null, lag: null },
    { topic: "t", partition: 0, offset: 1, metadata: "x", end_offset: 3, lag: 2 },
  ]);
});

test("groupRoutes() move offsets, each with its own error", async () => {
  const { door, commits } = doorWithGroups();
  const offsets = [
    { topic: "t", partition: 0, offset: 5, metadata: "why" },
    { topic: "u", partition: 0, offset: 6 },
  ];
  const { status, body } = await post(door, "/v1/groups/g/offsets", { offsets });
  assert.is(status, 200);
  assert.is(body.offsets![0]!.error, null);
  assert.is(body.offsets![1]!.error!.code, "UNKNOWN_TOPIC_OR_PARTITION");
  assert.is(commits[0]!.generation, -1);
  assert.is(commits[0]!.offsets[0]!.metadata, "why");
  const negative = { offsets: [{ topic: "t", partition: 0, offset: -1 }] };
  assert.is((await post(door, "/v1/groups/g/offsets", negative)).status, 400);
  assert.is((await post(door, "/v1/groups/g/offsets", { offsets: [] })).status, 400);
});

test("groupRoutes() forget a group", async () => {
  const { door, deleted } = doorWithGroups();
  assert.is((await call(door, "DELETE", "/v1/groups/g")).status, 204);
  assert.equal(deleted, ["g"]);
});

test.run();
