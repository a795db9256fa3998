// AlterReplicaLogDirs (34): moves replicas between folders of one broker (KIP-113). A broker here has one folder: a
// replica that is to be there is there already, and any other folder is LOG_DIR_NOT_FOUND. v2 is flexible.

import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { byTopic, placesOf } from "../partition-places.ts";
import { array, defineApi, int16, int32, string, struct } from "../schema.ts";

export const alterReplicaLogDirs = defineApi({
  key: 34,
  name: "AlterReplicaLogDirs",
  versions: { min: 1, max: 2 },
  flexibleSince: 2,
  request: struct({
    dirs: array(
      struct({
        path: string(),
        topics: array(struct({ name: string(), partitions: array(int32()) })),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: int32(),
    results: array(
      struct({
        topicName: string(),
        partitions: array(struct({ partitionIndex: int32(), errorCode: int16() })),
      }),
    ),
  }),
});

export const handleAlterReplicaLogDirs: Handler<typeof alterReplicaLogDirs> = (
  request,
  { broker },
) => {
  const known = new Map(broker.describeLogDirs().map((dir) => [dir.path, dir]));
  const outcomes = request.dirs.flatMap(({ path, topics }) => {
    const asked = placesOf(topics.map(({ name, partitions }) => ({ topic: name, partitions })));
    const dir = known.get(path);
    const isHere = (topic: string, partition: number) =>
      dir?.partitions.some((each) => each.topic === topic && each.partition === partition);
    return asked.map(({ topic, partition }) => {
      if (dir === undefined) return { topic, partition, errorCode: errorCodes.LOG_DIR_NOT_FOUND };
      const errorCode = isHere(topic, partition)
        ? errorCodes.NONE
        : errorCodes.REPLICA_NOT_AVAILABLE;
      return { topic, partition, errorCode };
    });
  });
  const results = byTopic(outcomes).map(([topicName, partitions]) => ({
    topicName,
    partitions: partitions.map(({ partition, errorCode }) => ({
      partitionIndex: partition,
      errorCode,
    })),
  }));
  return { throttleTimeMs: 0, results };
};
