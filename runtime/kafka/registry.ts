// Registry: every API this broker serves on the Kafka door. ApiVersions is derived from this list, so an API
// that is not here is neither served nor advertised.

import type { CredentialKeeper } from "../security/credential-keeper.ts";
import { addOffsetsToTxn, handleAddOffsetsToTxn } from "./apis/add-offsets-to-txn.ts";
import { addPartitionsToTxn, handleAddPartitionsToTxn } from "./apis/add-partitions-to-txn.ts";
import { alterConfigs, handleAlterConfigs } from "./apis/alter-configs.ts";
import {
  alterPartitionReassignments,
  handleAlterPartitionReassignments,
} from "./apis/alter-partition-reassignments.ts";
import { alterReplicaLogDirs, handleAlterReplicaLogDirs } from "./apis/alter-replica-log-dirs.ts";
import {
  alterUserScramCredentials,
  alterUsersHandler,
} from "./apis/alter-user-scram-credentials.ts";
import { answerApiVersions, apiVersions } from "./apis/api-versions.ts";
import {
  type AnswerPeer,
  clusterQuestion,
  clusterQuestionHandler,
} from "./apis/cluster-question.ts";
import {
  consumerGroupDescribe,
  handleConsumerGroupDescribe,
} from "./apis/consumer-group-describe.ts";
import {
  consumerGroupHeartbeat,
  handleConsumerGroupHeartbeat,
} from "./apis/consumer-group-heartbeat.ts";
import { createPartitions, handleCreatePartitions } from "./apis/create-partitions.ts";
import { createTopics, handleCreateTopics } from "./apis/create-topics.ts";
import { deleteGroups, handleDeleteGroups } from "./apis/delete-groups.ts";
import { deleteRecords, handleDeleteRecords } from "./apis/delete-records.ts";
import { deleteTopics, handleDeleteTopics } from "./apis/delete-topics.ts";
import { describeCluster, handleDescribeCluster } from "./apis/describe-cluster.ts";
import { describeConfigs, handleDescribeConfigs } from "./apis/describe-configs.ts";
import { describeGroups, handleDescribeGroups } from "./apis/describe-groups.ts";
import { describeLogDirs, handleDescribeLogDirs } from "./apis/describe-log-dirs.ts";
import { describeProducers, handleDescribeProducers } from "./apis/describe-producers.ts";
import { describeQuorum, handleDescribeQuorum } from "./apis/describe-quorum.ts";
import {
  describeTopicPartitions,
  handleDescribeTopicPartitions,
} from "./apis/describe-topic-partitions.ts";
import { describeTransactions, handleDescribeTransactions } from "./apis/describe-transactions.ts";
import {
  describeUserScramCredentials,
  describeUsersHandler,
} from "./apis/describe-user-scram-credentials.ts";
import { electLeaders, handleElectLeaders } from "./apis/elect-leaders.ts";
import { endTxn, handleEndTxn } from "./apis/end-txn.ts";
import { createFetchHandler, fetch } from "./apis/fetch.ts";
import { findCoordinator, handleFindCoordinator } from "./apis/find-coordinator.ts";
import { handleHeartbeat, heartbeat } from "./apis/heartbeat.ts";
import {
  handleIncrementalAlterConfigs,
  incrementalAlterConfigs,
} from "./apis/incremental-alter-configs.ts";
import { handleInitProducerId, initProducerId } from "./apis/init-producer-id.ts";
import { handleJoinGroup, joinGroup } from "./apis/join-group.ts";
import { handleLeaveGroup, leaveGroup } from "./apis/leave-group.ts";
import { handleListConfigResources, listConfigResources } from "./apis/list-config-resources.ts";
import { handleListGroups, listGroups } from "./apis/list-groups.ts";
import { handleListOffsets, listOffsets } from "./apis/list-offsets.ts";
import {
  handleListPartitionReassignments,
  listPartitionReassignments,
} from "./apis/list-partition-reassignments.ts";
import { handleListTransactions, listTransactions } from "./apis/list-transactions.ts";
import { handleMetadata, metadata } from "./apis/metadata.ts";
import { handleOffsetCommit, offsetCommit } from "./apis/offset-commit.ts";
import { handleOffsetDelete, offsetDelete } from "./apis/offset-delete.ts";
import { handleOffsetFetch, offsetFetch } from "./apis/offset-fetch.ts";
import {
  handleOffsetForLeaderEpoch,
  offsetForLeaderEpoch,
} from "./apis/offset-for-leader-epoch.ts";
import { handleProduce, produce } from "./apis/produce.ts";
import { handleSaslAuthenticate, saslAuthenticate } from "./apis/sasl-authenticate.ts";
import { handleSaslHandshake, saslHandshake } from "./apis/sasl-handshake.ts";
import { handleSyncGroup, syncGroup } from "./apis/sync-group.ts";
import { handleTxnOffsetCommit, txnOffsetCommit } from "./apis/txn-offset-commit.ts";
import { handleUnregisterBroker, unregisterBroker } from "./apis/unregister-broker.ts";
import { handleUpdateFeatures, updateFeatures } from "./apis/update-features.ts";
import { handleWriteTxnMarkers, writeTxnMarkers } from "./apis/write-txn-markers.ts";
import type { FetchSessions } from "./fetch-sessions.ts";
import { type Registration, register } from "./handler.ts";

/** Sorted by API key. `sessions` are those of the door; `answerPeer` is of a broker that is one of several. */
export function registrations(
  sessions: FetchSessions,
  fetchBytesMax?: number,
  answerPeer?: AnswerPeer,
  users?: CredentialKeeper,
): readonly Registration[] {
  const all: readonly Registration[] = [
    register(produce, handleProduce),
    register(fetch, createFetchHandler(sessions, fetchBytesMax)),
    register(listOffsets, handleListOffsets),
    register(metadata, handleMetadata),
    register(offsetCommit, handleOffsetCommit),
    register(offsetFetch, handleOffsetFetch),
    register(findCoordinator, handleFindCoordinator),
    register(joinGroup, handleJoinGroup),
    register(heartbeat, handleHeartbeat),
    register(leaveGroup, handleLeaveGroup),
    register(syncGroup, handleSyncGroup),
    register(describeGroups, handleDescribeGroups),
    register(listGroups, handleListGroups),
    register(saslHandshake, handleSaslHandshake),
    register(
      apiVersions,
      answerApiVersions(() => all.map(({ api }) => api).filter(({ isPrivate }) => !isPrivate)),
    ),
    register(createTopics, handleCreateTopics),
    register(deleteTopics, handleDeleteTopics),
    register(deleteRecords, handleDeleteRecords),
    register(initProducerId, handleInitProducerId),
    register(offsetForLeaderEpoch, handleOffsetForLeaderEpoch),
    register(addPartitionsToTxn, handleAddPartitionsToTxn),
    register(addOffsetsToTxn, handleAddOffsetsToTxn),
    register(endTxn, handleEndTxn),
    register(writeTxnMarkers, handleWriteTxnMarkers),
    register(txnOffsetCommit, handleTxnOffsetCommit),
    register(describeConfigs, handleDescribeConfigs),
    register(alterConfigs, handleAlterConfigs),
    register(alterReplicaLogDirs, handleAlterReplicaLogDirs),
    register(describeLogDirs, handleDescribeLogDirs),
    register(saslAuthenticate, handleSaslAuthenticate),
    register(createPartitions, handleCreatePartitions),
    register(deleteGroups, handleDeleteGroups),
    register(electLeaders, handleElectLeaders),
    register(incrementalAlterConfigs, handleIncrementalAlterConfigs),
    register(alterPartitionReassignments, handleAlterPartitionReassignments),
    register(listPartitionReassignments, handleListPartitionReassignments),
    register(offsetDelete, handleOffsetDelete),
    register(describeQuorum, handleDescribeQuorum),
    ...(users ? [register(describeUserScramCredentials, describeUsersHandler(users))] : []),
    ...(users ? [register(alterUserScramCredentials, alterUsersHandler(users))] : []),
    register(describeCluster, handleDescribeCluster),
    register(describeProducers, handleDescribeProducers),
    register(updateFeatures, handleUpdateFeatures),
    register(unregisterBroker, handleUnregisterBroker),
    register(describeTransactions, handleDescribeTransactions),
    register(listTransactions, handleListTransactions),
    register(consumerGroupHeartbeat, handleConsumerGroupHeartbeat),
    register(consumerGroupDescribe, handleConsumerGroupDescribe),
    register(listConfigResources, handleListConfigResources),
    register(describeTopicPartitions, handleDescribeTopicPartitions),
    ...(answerPeer ? [register(clusterQuestion, clusterQuestionHandler(answerPeer))] : []),
  ];
  return all;
}
