// Consumer groups, their members and how far they are behind, v3.

import type { Context } from "hono";
import type { TopicPartition } from "../../../broker.ts";
import { BrokerError } from "../../../errors.ts";
import type { GroupListing, GroupMemberSummary, GroupSummary } from "../../../group-coordinator.ts";
import { type Door, pathParameter } from "../../route.ts";
import { placeText } from "../instance.ts";
import { answer, found, type Links, linksIn } from "./resource.ts";

export async function listGroups(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const groups = [...(await door.broker.groups.list())];
  groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
  const data = await Promise.all(groups.map((each) => groupJson(door, links, each)));
  return links.list("KafkaConsumerGroupList", ["consumer-groups"], data);
}

export async function getGroup(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  return answer(await groupJson(door, links, await groupIn(door, context)));
}

export async function listConsumers(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const { groupId, members } = await groupIn(door, context);
  return links.list(
    "KafkaConsumerList",
    ["consumer-groups", groupId, "consumers"],
    members.map((each) => consumerJson(links, groupId, each)),
  );
}

export async function getConsumer(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const group = await groupIn(door, context);
  return answer(consumerJson(links, group.groupId, memberIn(group, context)));
}

export async function listAssignments(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const group = await groupIn(door, context);
  const member = memberIn(group, context);
  const of = ["consumer-groups", group.groupId, "consumers", member.memberId, "assignments"];
  const data = member.partitions.map(({ topic, partition }) =>
    links.resource("KafkaConsumerAssignment", {
      path: [...of, topic, "partitions", partition],
      name:
        `/consumer-group=${group.groupId}/consumer=${member.memberId}` +
        `/assignment=${topic}/partition=${partition}`,
      fields: {
        consumer_group_id: group.groupId,
        consumer_id: member.memberId,
        topic_name: topic,
        partition_id: partition,
        partition: links.related("topics", topic, "partitions", partition),
        lag: lagLink(links, group.groupId, { topic, partition }),
      },
    }),
  );
  return links.list("KafkaConsumerAssignmentList", of, data);
}

// ---- lags ----

interface Lag extends TopicPartition {
  readonly offset: number;
  readonly endOffset: number;
  readonly lag: number;
  readonly member: GroupMemberSummary | undefined;
}

export async function listLags(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const group = await groupIn(door, context);
  const lags = await lagsOf(door, group);
  return links.list(
    "KafkaConsumerLagList",
    ["consumer-groups", group.groupId, "lags"],
    lags.map((each) => lagJson(links, group.groupId, each)),
  );
}

export async function getLag(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const group = await groupIn(door, context);
  const topic = pathParameter(context, "topic");
  const partition = pathParameter(context, "partition");
  const lag = (await lagsOf(door, group)).find(
    (each) => each.topic === topic && String(each.partition) === partition,
  );
  const what = `offset of group ${group.groupId} in ${topic}-${partition}`;
  return answer(lagJson(links, group.groupId, found(lag, what)));
}

export async function lagSummary(door: Door, context: Context): Promise<Response> {
  const links = linksIn(door, context);
  const group = await groupIn(door, context);
  const { groupId } = group;
  const lags = await lagsOf(door, group);
  const [most] = [...lags].sort((a, b) => b.lag - a.lag);
  const worst = found(most, `committed offset of group ${groupId}`);
  const { topic, partition, lag, member } = worst;
  const consumer = member?.memberId ?? "";
  return answer(
    links.resource("KafkaConsumerGroupLagSummary", {
      path: ["consumer-groups", groupId, "lag-summary"],
      name: `/consumer-group=${groupId}/lag-summary`,
      fields: {
        consumer_group_id: groupId,
        max_lag_consumer_id: consumer,
        max_lag_instance_id: member?.instanceId ?? null,
        max_lag_client_id: member?.clientId ?? "",
        max_lag_topic_name: topic,
        max_lag_partition_id: partition,
        max_lag: lag,
        total_lag: lags.reduce((sum, each) => sum + each.lag, 0),
        max_lag_consumer: links.related("consumer-groups", groupId, "consumers", consumer),
        max_lag_partition: links.related("topics", topic, "partitions", partition),
      },
    }),
  );
}

/** Of partitions with an offset and a leader; others have no lag that anybody knows. */
async function lagsOf(door: Door, { groupId, members }: GroupSummary): Promise<Lag[]> {
  const { broker } = door;
  const anyone = { memberId: null, memberEpoch: -1, partitions: null, requireStable: false };
  const committed = (await broker.groups.fetchOffsets({ groupId, ...anyone })).filter(
    ({ offset }) => offset >= 0,
  );
  const places = committed.map(({ topic, partition }) => ({ topic, partition }));
  const views = await broker.describePartitions(places);
  const owners = new Map(
    members.flatMap((member) => member.partitions.map((each) => [placeText(each), member])),
  );
  return committed.flatMap(({ topic, partition, offset }, i) => {
    const view = views[i]!;
    if (view instanceof BrokerError) return [];
    const endOffset = view.highWatermark;
    const lag = Math.max(0, endOffset - offset);
    const member = owners.get(placeText({ topic, partition }));
    return [{ topic, partition, offset, endOffset, lag, member }];
  });
}

// ---- requests and answers ----

async function groupIn(door: Door, context: Context): Promise<GroupSummary> {
  return door.broker.groups.summary(pathParameter(context, "group"));
}

function memberIn({ groupId, members }: GroupSummary, context: Context): GroupMemberSummary {
  const id = pathParameter(context, "consumer");
  const member = members.find(({ memberId }) => memberId === id);
  return found(member, `consumer ${id} in group ${groupId}`);
}

async function groupJson(
  door: Door,
  links: Links,
  { groupId, protocolType, state }: GroupListing,
): Promise<unknown> {
  const path = ["consumer-groups", groupId] as const;
  const coordinator = await door.broker.groups.find(groupId);
  return links.resource("KafkaConsumerGroup", {
    path,
    name: `/consumer-group=${groupId}`,
    fields: {
      consumer_group_id: groupId,
      is_simple: protocolType !== "consumer",
      // Which one is the members' affair, or the coordinator's.
      partition_assignor: "",
      state: state.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase(),
      coordinator: links.related("brokers", coordinator),
      consumers: links.related(...path, "consumers"),
      lag_summary: links.related(...path, "lag-summary"),
    },
  });
}

function consumerJson(links: Links, groupId: string, member: GroupMemberSummary): unknown {
  const { memberId, instanceId, clientId } = member;
  const path = ["consumer-groups", groupId, "consumers", memberId] as const;
  return links.resource("KafkaConsumer", {
    path,
    name: `/consumer-group=${groupId}/consumer=${memberId}`,
    fields: {
      consumer_group_id: groupId,
      consumer_id: memberId,
      instance_id: instanceId,
      client_id: clientId,
      assignments: links.related(...path, "assignments"),
    },
  });
}

function lagJson(links: Links, groupId: string, lag: Lag): unknown {
  const { topic, partition, member } = lag;
  return links.resource("KafkaConsumerLag", {
    path: ["consumer-groups", groupId, "lags", topic, "partitions", partition],
    name: `/consumer-group=${groupId}/lag=${topic}/partition=${partition}`,
    fields: {
      consumer_group_id: groupId,
      topic_name: topic,
      partition_id: partition,
      current_offset: lag.offset,
      log_end_offset: lag.endOffset,
      lag: lag.lag,
      consumer_id: member?.memberId ?? "",
      instance_id: member?.instanceId ?? null,
      client_id: member?.clientId ?? "",
    },
  });
}

function lagLink(links: Links, groupId: string, { topic, partition }: TopicPartition) {
  return links.related("consumer-groups", groupId, "lags", topic, "partitions", partition);
}
