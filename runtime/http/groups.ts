// Consumer groups: list, describe, their offsets and lag, moving offsets, forgetting a group. Members join through
// the Kafka door only.

import type { Context } from "hono";
import { BrokerError } from "../errors.ts";
import type { GroupSummary } from "../group-coordinator.ts";
import { withText } from "./body.ts";
import { type Door, json, pathParameter, type Route } from "./route.ts";
import { validJson } from "./validation.ts";

const path = "/v1/groups/:group";

export function groupRoutes(door: Door): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/groups",
      doc: {
        tag: "groups",
        summary: "List consumer groups",
        answers: {
          200: { description: "By name", content: { "application/json": "groupList" } },
        },
      },
      handle: () => listGroups(door),
    },
    {
      method: "GET",
      path,
      doc: {
        tag: "groups",
        summary: "Describe a group and its members",
        answers: { 200: { description: "Group", content: { "application/json": "group" } } },
      },
      handle: async (context) => json(described(await door.broker.groups.summary(nameIn(context)))),
    },
    {
      method: "GET",
      path: `${path}/offsets`,
      doc: {
        tag: "groups",
        summary: "Committed offsets and how far the group is behind",
        answers: {
          200: { description: "Offsets", content: { "application/json": "groupOffsets" } },
        },
      },
      handle: (context) => groupOffsets(door, nameIn(context)),
    },
    ...changeRoutes(door),
  ];
}

function changeRoutes(door: Door): Route[] {
  return [
    {
      method: "POST",
      path: `${path}/offsets`,
      doc: {
        tag: "groups",
        summary: "Move committed offsets",
        description: "Only while the group has no members. Makes the group if there is none.",
        body: { "application/json": "groupCommit" },
        answers: {
          200: { description: "By partition", content: { "application/json": "groupCommitted" } },
        },
      },
      handle: (context) => commitOffsets(door, context),
    },
    {
      method: "DELETE",
      path,
      doc: {
        tag: "groups",
        summary: "Forget a group without members, and its offsets",
        answers: { 204: { description: "Forgotten" } },
      },
      handle: async (context) => {
        await door.broker.groups.delete(nameIn(context));
        return new Response(null, { status: 204 });
      },
    },
  ];
}

function nameIn(context: Context): string {
  return pathParameter(context, "group");
}

async function listGroups(door: Door): Promise<Response> {
  const found = await door.broker.groups.list();
  const groups = found
    .map(({ groupId, state, type, protocolType }) => {
      return { group: groupId, state, protocol: type, kind: protocolType };
    })
    .sort((a, b) => (a.group < b.group ? -1 : 1));
  return json({ groups });
}

function described({ groupId, state, type, protocolType, epoch, members }: GroupSummary) {
  return {
    group: groupId,
    state,
    protocol: type,
    kind: protocolType,
    epoch,
    members: members.map(({ memberId, instanceId, clientId, clientHost, partitions }) => ({
      member: memberId,
      instance: instanceId,
      client: clientId,
      host: clientHost,
      partitions,
    })),
  };
}

async function groupOffsets(door: Door, groupId: string): Promise<Response> {
  const { broker } = door;
  // Tells a group that is not there from one without offsets.
  await broker.groups.summary(groupId);
  const anyone = { memberId: null, memberEpoch: -1, partitions: null, requireStable: false };
  const found = await broker.groups.fetchOffsets({ groupId, ...anyone });
  const views = await broker.describePartitions(
    found.map(({ topic, partition }) => ({ topic, partition })),
  );
  const offsets = found
    .map(({ topic, partition, offset, metadata }, i) => {
      const view = views[i]!;
      // Null where the partition cannot be asked now.
      const endOffset = view instanceof BrokerError ? null : view.highWatermark;
      const lag = endOffset === null ? null : Math.max(0, endOffset - offset);
      return { topic, partition, offset, metadata, end_offset: endOffset, lag };
    })
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  return json({ group: groupId, offsets });
}

async function commitOffsets(door: Door, context: Context): Promise<Response> {
  const groupId = nameIn(context);
  const given = await withText(door, context, (text) => validJson(text, "groupCommit"));
  await door.broker.groups.find(groupId);
  const offsets = given.offsets.map(({ metadata = "", ...each }) => ({
    ...each,
    metadata,
    leaderEpoch: -1,
  }));
  const nobody = { memberId: "", groupInstanceId: null, generation: -1 };
  const terms = { retentionMs: -1, version: newestCommitVersion };
  const results = await door.broker.groups.commitOffsets({ groupId, ...nobody, ...terms, offsets });
  return json({
    group: groupId,
    offsets: offsets.map(({ topic, partition, offset }, i) => {
      const error = results[i] ?? null;
      return {
        topic,
        partition,
        offset,
        error: error && { code: error.code, message: error.message },
      };
    }),
  });
}

/** Knows every error there is. */
const newestCommitVersion = 9;
