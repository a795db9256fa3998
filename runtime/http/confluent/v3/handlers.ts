// What the routes of v3 do, by name.

import type { Context } from "hono";
import type { KeylessPartitioner } from "../../../partitioner.ts";
import type { Door } from "../../route.ts";
import * as clusters from "./clusters.ts";
import * as configs from "./configs.ts";
import * as groups from "./groups.ts";
import { produceV3 } from "./records.ts";
import * as topics from "./topics.ts";

type Handle = (context: Context) => Response | Promise<Response>;
type Given = (door: Door, context: Context) => Response | Promise<Response>;
type GivenConfigs = (
  door: Door,
  context: Context,
  subjectIn: configs.SubjectIn,
) => Promise<Response>;

export function handlersV3(door: Door, keyless: KeylessPartitioner) {
  const of =
    (handle: Given): Handle =>
    (context) =>
      handle(door, context);
  const about =
    (handle: GivenConfigs, subjectIn: configs.SubjectIn): Handle =>
    (context) =>
      handle(door, context, subjectIn);
  const { brokerSubject, clusterSubject, topicSubject } = configs;
  return {
    v3ListClusters: of(clusters.listClusters),
    v3GetCluster: of(clusters.getCluster),
    v3ListBrokers: of(clusters.listBrokers),
    v3GetBroker: of(clusters.getBroker),
    v3ListBrokerReplicas: of(topics.listReplicasOfBroker),
    v3ListTopics: of(topics.listTopics),
    v3CreateTopic: of(topics.createTopic),
    v3GetTopic: of(topics.getTopic),
    v3GrowTopic: of(topics.growTopic),
    v3DeleteTopic: of(topics.deleteTopic),
    v3ListPartitions: of(topics.listPartitions),
    v3GetPartition: of(topics.getPartition),
    v3ListReplicas: of(topics.listReplicas),
    v3GetReplica: of(topics.getReplica),
    v3ListReassignments: of(topics.listReassignments),
    v3GetReassignment: of(topics.getReassignment),
    v3Produce: (context: Context) => produceV3(door, context, keyless),
    v3ListGroups: of(groups.listGroups),
    v3GetGroup: of(groups.getGroup),
    v3ListConsumers: of(groups.listConsumers),
    v3GetConsumer: of(groups.getConsumer),
    v3ListAssignments: of(groups.listAssignments),
    v3ListLags: of(groups.listLags),
    v3GetLag: of(groups.getLag),
    v3LagSummary: of(groups.lagSummary),
    v3ListTopicConfigs: about(configs.listConfigs, topicSubject),
    v3GetTopicConfig: about(configs.getConfig, topicSubject),
    v3SetTopicConfig: about(configs.setConfig, topicSubject),
    v3ResetTopicConfig: about(configs.resetConfig, topicSubject),
    v3AlterTopicConfigs: about(configs.alterConfigs, topicSubject),
    v3ListBrokerConfigs: about(configs.listConfigs, brokerSubject),
    v3GetBrokerConfig: about(configs.getConfig, brokerSubject),
    v3SetBrokerConfig: about(configs.setConfig, brokerSubject),
    v3ResetBrokerConfig: about(configs.resetConfig, brokerSubject),
    v3AlterBrokerConfigs: about(configs.alterConfigs, brokerSubject),
    v3ListClusterConfigs: about(configs.listConfigs, clusterSubject),
    v3GetClusterConfig: about(configs.getConfig, clusterSubject),
    v3SetClusterConfig: about(configs.setConfig, clusterSubject),
    v3ResetClusterConfig: about(configs.resetConfig, clusterSubject),
    v3AlterClusterConfigs: about(configs.alterConfigs, clusterSubject),
  } satisfies Record<string, Handle>;
}
