// A heartbeat of the consumer protocol in which nothing has changed since the last one.

import type { ConsumerHeartbeat } from "../../../runtime/group-coordinator.ts";

export function heartbeatOf(
  given: Pick<ConsumerHeartbeat, "memberId" | "memberEpoch"> & Partial<ConsumerHeartbeat>,
): ConsumerHeartbeat {
  return {
    groupId: "g",
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    topicNames: null,
    topicRegex: null,
    serverAssignor: null,
    owned: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    ...given,
  };
}
