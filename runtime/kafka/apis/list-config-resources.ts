// ListConfigResources (74): names of what can have configs (KIP-1142). v0, of before its renaming, lists client
// metrics subscriptions only. v1 takes the types that are wanted, none meaning all; a type this broker does not
// know is answered UNSUPPORTED_VERSION. Both are flexible.

import type { ClusterState } from "../../../cluster/control-plane.ts";
import { resourceType } from "../config-resources.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import { array, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const listConfigResources = defineApi({
  key: 74,
  name: "ListConfigResources",
  versions: { min: 0, max: 1 },
  flexibleSince: 0,
  request: struct({ resourceTypes: array(int8(), { since: 1, default: [] }) }),
  response: struct({
    throttleTimeMs: int32(),
    errorCode: int16(),
    configResources: array(
      struct({
        resourceName: string(),
        resourceType: int8({ since: 1, default: resourceType.clientMetrics }),
      }),
    ),
  }),
});

const typesSince = 1;

export const handleListConfigResources: Handler<typeof listConfigResources> = (
  request,
  { broker, apiVersion },
) => {
  const known: readonly number[] = Object.values(resourceType);
  const wanted = request.resourceTypes.length > 0 ? new Set(request.resourceTypes) : new Set(known);
  if ([...wanted].some((type) => !known.includes(type))) {
    const errorCode = errorCodes.UNSUPPORTED_VERSION;
    return { throttleTimeMs: 0, errorCode, configResources: [] };
  }
  const types = apiVersion < typesSince ? [resourceType.clientMetrics] : [...wanted];
  const configResources = types.flatMap((type) =>
    namesOf(type, broker.cluster()).map((resourceName) => ({ resourceName, resourceType: type })),
  );
  return { throttleTimeMs: 0, errorCode: 0, configResources };
};

/** Client metrics subscriptions have no configs here, so there are no names of them. */
function namesOf(type: number, { topics, brokers, groupConfigs }: ClusterState): string[] {
  if (type === resourceType.topic) return [...topics.keys()];
  if (type === resourceType.broker || type === resourceType.brokerLogger) {
    return [...brokers.keys()].map(String);
  }
  return type === resourceType.group ? [...groupConfigs.keys()] : [];
}
