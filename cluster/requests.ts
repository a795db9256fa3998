// The changes a member can ask of the controller, as data, and the decision that each one means. A request may come
// twice, when an answer got lost: the second time finds done what the first one did. Pure but for the source of
// randomness that places replicas.

import type { ClusterImage } from "./cluster-image.ts";
import {
  ControlPlaneError,
  type IsrChange,
  type PartitionPlace,
  type TopicId,
  type TopicRecord,
} from "./control-plane.ts";
import type { Decision } from "./controller.ts";
import {
  decideDrain,
  decideRegistration,
  decideRemoval,
  type Registration,
} from "./decisions/brokers.ts";
import { decideElections } from "./decisions/elections.ts";
import { decideIsrChanges, type PartitionsDecision } from "./decisions/isr-changes.ts";
import { decideReassignments } from "./decisions/reassignment.ts";
import {
  decideBrokerConfigs,
  decideGroupConfigs,
  decideGrowth,
  decideTopic,
  decideTopicConfigs,
  decideTopicRemoval,
  type TopicDecision,
} from "./decisions/topics.ts";
import type { Random } from "./random-id.ts";

type PlainConfigs = readonly (readonly [name: string, value: string])[];
type PlainConfigChanges = readonly (readonly [name: string, value: string | null])[];

export type ChangeRequest =
  | { readonly do: "register"; readonly broker: Registration }
  | {
      readonly do: "create-topic";
      readonly name: string;
      readonly id: TopicId;
      readonly leaderEpoch?: number;
      readonly layout:
        | { readonly partitions: number; readonly replicationFactor: number }
        | { readonly assignments: readonly (readonly number[])[] };
      readonly configs: PlainConfigs;
    }
  /** The id is that of the topic which the asking member means; null: it knows none of that name. */
  | { readonly do: "delete-topic"; readonly name: string; readonly id: TopicId | null }
  | {
      readonly do: "create-partitions";
      readonly name: string;
      readonly partitions: number;
      readonly assignments?: readonly (readonly number[])[];
    }
  | {
      readonly do: "alter-topic-configs";
      readonly name: string;
      readonly changes: PlainConfigChanges;
    }
  | {
      readonly do: "alter-broker-configs";
      readonly broker: number | null;
      readonly changes: PlainConfigChanges;
    }
  | {
      readonly do: "alter-group-configs";
      readonly groupId: string;
      readonly changes: PlainConfigChanges;
    }
  | { readonly do: "allocate-producer-ids"; readonly count: number }
  | { readonly do: "alter-isr"; readonly changes: readonly IsrChange[] }
  | {
      readonly do: "elect-leaders";
      readonly kind: "preferred" | "unclean";
      readonly partitions: readonly PartitionPlace[] | null;
    }
  | {
      readonly do: "reassign";
      readonly requests: readonly (PartitionPlace & {
        readonly replicas: readonly number[] | null;
      })[];
    }
  | { readonly do: "drain" }
  | { readonly do: "unregister"; readonly id: number };

export interface Asker {
  readonly id: number;
  /** Broker epoch under which it asks; -1 before it is registered. */
  readonly epoch: number;
  /** Asked before, and the answer got lost. */
  readonly isRepeat: boolean;
}

/** Throws ControlPlaneError. The result is a JSON value, of topics their id. */
export function decideRequest(
  image: ClusterImage,
  request: ChangeRequest,
  { asker, random }: { readonly asker: Asker; readonly random: Random },
): Decision<unknown> {
  switch (request.do) {
    case "register":
      return decideOwnRegistration(image, request.broker);
    case "create-topic":
      return decideNewTopic(image, request, random);
    case "delete-topic":
      return decideDeletion(image, request, asker);
    case "create-partitions":
      return decidePartitions(image, request, asker);
    case "alter-topic-configs":
      return topicResult(decideTopicConfigs(image, request.name, new Map(request.changes)));
    case "alter-broker-configs": {
      const changes = decideBrokerConfigs(image, request.broker, new Map(request.changes));
      return { changes, result: null };
    }
    case "alter-group-configs": {
      const changes = decideGroupConfigs(image, request.groupId, new Map(request.changes));
      return { changes, result: null };
    }
    case "allocate-producer-ids": {
      const first = image.nextProducerId;
      const next = first + request.count;
      return { changes: [{ put: "producer-ids", next }], result: first };
    }
    case "alter-isr":
      checkEpoch(image, asker);
      return outcomesResult(decideIsrChanges(image, asker.id, request.changes));
    case "elect-leaders":
      return outcomesResult(decideElections(image, request));
    case "reassign":
      return outcomesResult(decideReassignments(image, request.requests));
    case "drain":
      checkEpoch(image, asker);
      return { changes: decideDrain(image, asker.id), result: null };
    case "unregister": {
      const isDone = asker.isRepeat && !image.brokers.has(request.id);
      return { changes: isDone ? [] : decideRemoval(image, request.id), result: null };
    }
  }
}

/** The same registration asked for again has been made: another one would make it an unclean one. */
function decideOwnRegistration(image: ClusterImage, broker: Registration): Decision<unknown> {
  const known = image.brokers.get(broker.id);
  if (known?.incarnation === broker.incarnation) return { changes: [], result: known };
  const { broker: result, changes } = decideRegistration(image, broker);
  return { changes, result };
}

/** The asking member chose the id, so it is its own topic that exists. */
function decideNewTopic(
  image: ClusterImage,
  { configs, ...request }: Extract<ChangeRequest, { do: "create-topic" }>,
  random: Random,
): Decision<unknown> {
  if (image.topics.get(request.name)?.id === request.id) return { changes: [], result: request.id };
  return topicResult(decideTopic(image, { ...request, configs: new Map(configs) }, random));
}

function decideDeletion(
  image: ClusterImage,
  { name, id }: Extract<ChangeRequest, { do: "delete-topic" }>,
  { isRepeat }: Asker,
): Decision<unknown> {
  const isDone = isRepeat && image.topics.get(name)?.id !== id;
  return { changes: isDone ? [] : decideTopicRemoval(image, name), result: null };
}

function decidePartitions(
  image: ClusterImage,
  request: Extract<ChangeRequest, { do: "create-partitions" }>,
  { isRepeat }: Asker,
): Decision<unknown> {
  const topic = image.topics.get(request.name);
  const isDone = isRepeat && topic?.partitions.length === request.partitions;
  return isDone ? { changes: [], result: topic.id } : topicResult(decideGrowth(image, request));
}

function topicResult({ changes, topic }: TopicDecision & { topic: TopicRecord }) {
  return { changes, result: topic.id };
}

function outcomesResult({ changes, outcomes }: PartitionsDecision): Decision<unknown> {
  return { changes, result: outcomes };
}

function checkEpoch(image: ClusterImage, { id, epoch }: Asker): void {
  const known = image.brokers.get(id);
  if (known?.epoch === epoch) return;
  throw new ControlPlaneError(
    "stale-broker-epoch",
    `Broker ${id} is registered with epoch ${known?.epoch ?? "none"}, not ${epoch}.`,
  );
}
