// The list of v3's routes, all below one cluster.

import type { Entry } from "../entry.ts";

const cluster = "/v3/clusters/:cluster";
const broker = `${cluster}/brokers/:broker`;
const topic = `${cluster}/topics/:topic`;
const partition = `${topic}/partitions/:partition`;
const group = `${cluster}/consumer-groups/:group`;
const consumer = `${group}/consumers/:consumer`;

export const routesV3: readonly Entry[] = [
  ["GET", "/v3/clusters", "v3ListClusters", "The cluster, as a list (v3)"],
  ["GET", cluster, "v3GetCluster", "The cluster (v3)"],
  ["GET", `${cluster}/broker-configs`, "v3ListClusterConfigs", "Configs of all brokers (v3)"],
  ["POST", `${cluster}/broker-configs:alter`, "v3AlterClusterConfigs", "Alter them (v3)"],
  ["GET", `${cluster}/broker-configs/:name`, "v3GetClusterConfig", "One of them (v3)"],
  ["PUT", `${cluster}/broker-configs/:name`, "v3SetClusterConfig", "Set one of them (v3)"],
  ["DELETE", `${cluster}/broker-configs/:name`, "v3ResetClusterConfig", "Unset it (v3)"],
  ["GET", `${cluster}/brokers`, "v3ListBrokers", "List brokers (v3)"],
  ["GET", broker, "v3GetBroker", "A broker (v3)"],
  ["GET", `${broker}/partition-replicas`, "v3ListBrokerReplicas", "What it holds (v3)"],
  ["GET", `${broker}/configs`, "v3ListBrokerConfigs", "Configs of a broker (v3)"],
  ["POST", `${broker}/configs:alter`, "v3AlterBrokerConfigs", "Alter a broker's configs (v3)"],
  ["GET", `${broker}/configs/:name`, "v3GetBrokerConfig", "A config of a broker (v3)"],
  ["PUT", `${broker}/configs/:name`, "v3SetBrokerConfig", "Set a config of a broker (v3)"],
  ["DELETE", `${broker}/configs/:name`, "v3ResetBrokerConfig", "Unset it (v3)"],
  ["GET", `${cluster}/topics`, "v3ListTopics", "List topics (v3)"],
  ["POST", `${cluster}/topics`, "v3CreateTopic", "Create a topic (v3)"],
  ["GET", topic, "v3GetTopic", "A topic (v3)"],
  ["PATCH", topic, "v3GrowTopic", "Add partitions (v3)"],
  ["DELETE", topic, "v3DeleteTopic", "Delete a topic (v3)"],
  ["GET", `${topic}/configs`, "v3ListTopicConfigs", "Configs of a topic (v3)"],
  ["POST", `${topic}/configs:alter`, "v3AlterTopicConfigs", "Alter a topic's configs (v3)"],
  ["GET", `${topic}/configs/:name`, "v3GetTopicConfig", "A config of a topic (v3)"],
  ["PUT", `${topic}/configs/:name`, "v3SetTopicConfig", "Set a config of a topic (v3)"],
  ["DELETE", `${topic}/configs/:name`, "v3ResetTopicConfig", "Unset it (v3)"],
  ["GET", `${topic}/partitions`, "v3ListPartitions", "List partitions (v3)"],
  ["GET", `${topic}/partitions/-/reassignment`, "v3ListReassignments", "What moves (v3)"],
  ["GET", partition, "v3GetPartition", "A partition (v3)"],
  ["GET", `${partition}/reassignment`, "v3GetReassignment", "Where it moves (v3)"],
  ["GET", `${partition}/replicas`, "v3ListReplicas", "List replicas (v3)"],
  ["GET", `${partition}/replicas/:broker`, "v3GetReplica", "A replica (v3)"],
  ["POST", `${topic}/records`, "v3Produce", "Append records as they come (v3)"],
  ["GET", `${cluster}/consumer-groups`, "v3ListGroups", "List consumer groups (v3)"],
  ["GET", group, "v3GetGroup", "A consumer group (v3)"],
  ["GET", `${group}/consumers`, "v3ListConsumers", "Members of a group (v3)"],
  ["GET", consumer, "v3GetConsumer", "A member of a group (v3)"],
  ["GET", `${consumer}/assignments`, "v3ListAssignments", "What it reads (v3)"],
  ["GET", `${group}/lag-summary`, "v3LagSummary", "How far a group is behind (v3)"],
  ["GET", `${group}/lags`, "v3ListLags", "The same by partition (v3)"],
  ["GET", `${group}/lags/:topic/partitions/:partition`, "v3GetLag", "Of one partition (v3)"],
];
