// The cluster and its brokers, v3.

import type { Context } from "hono";
import type { BrokerRecord } from "../../../../cluster/control-plane.ts";
import { type Door, pathParameter } from "../../route.ts";
import { restJson } from "../answer.ts";
import { answer, found, Links, linksIn } from "./resource.ts";

export function listClusters(door: Door, context: Context): Response {
  const links = new Links(context, door.broker.cluster().clusterId);
  const metadata = { self: links.clusters, next: null };
  const data = [clusterJson(door, links)];
  return restJson({ kind: "KafkaClusterList", metadata, data }, { version: "v3" });
}

export function getCluster(door: Door, context: Context): Response {
  return answer(clusterJson(door, linksIn(door, context)));
}

export function listBrokers(door: Door, context: Context): Response {
  const links = linksIn(door, context);
  const brokers = [...door.broker.cluster().brokers.values()].sort((a, b) => a.id - b.id);
  const data = brokers.filter(({ fenced }) => !fenced).map((each) => brokerJson(links, each));
  return links.list("KafkaBrokerList", ["brokers"], data);
}

export function getBroker(door: Door, context: Context): Response {
  return answer(brokerJson(linksIn(door, context), brokerIn(door, context)));
}

export function brokerIn(door: Door, context: Context): BrokerRecord {
  const text = pathParameter(context, "broker");
  const id = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return found(door.broker.cluster().brokers.get(id), `broker ${text}`);
}

function clusterJson(door: Door, links: Links): unknown {
  const { controllerId } = door.broker.cluster();
  const controller = controllerId < 0 ? {} : { controller: links.related("brokers", controllerId) };
  return links.resource("KafkaCluster", {
    path: [],
    name: "",
    fields: {
      ...controller,
      acls: links.related("acls"),
      brokers: links.related("brokers"),
      broker_configs: links.related("broker-configs"),
      consumer_groups: links.related("consumer-groups"),
      topics: links.related("topics"),
      partition_reassignments: links.related("topics", "-", "partitions", "-", "reassignment"),
    },
  });
}

function brokerJson(links: Links, { id, host, port, rack }: BrokerRecord): unknown {
  const path = ["brokers", id] as const;
  return links.resource("KafkaBroker", {
    path,
    name: `/broker=${id}`,
    fields: {
      broker_id: id,
      host,
      port,
      ...(rack === null ? {} : { rack }),
      configs: links.related(...path, "configs"),
      partition_replicas: links.related(...path, "partition-replicas"),
    },
  });
}
