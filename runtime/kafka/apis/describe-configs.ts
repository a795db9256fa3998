// DescribeConfigs (32): the configs of topics and brokers with value, source, type and synonyms (KIP-226).
// The empty broker name means the defaults of all brokers: only what was set there is listed. Client metrics
// subscriptions and broker loggers have no configs of their own here, so their lists are empty.
// v3 adds types and documentation (KIP-569), v4 is flexible. Values of sensitive keys are never sent.

import type { ConfigEntry } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import {
  checkOwnId,
  configSource,
  configType,
  describedResource,
  resourceType,
} from "../config-resources.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { itemError } from "../item-error.ts";
import type { RequestOf, ResponseInput } from "../schema.ts";
import { array, boolean, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const describeConfigs = defineApi({
  key: 32,
  name: "DescribeConfigs",
  versions: { min: 1, max: 4 },
  flexibleSince: 4,
  request: struct({
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configurationKeys: array(string(), { nullable: true }),
      }),
    ),
    includeSynonyms: boolean(),
    includeDocumentation: boolean({ since: 3, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32(),
    results: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: true }),
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: true }),
            readOnly: boolean(),
            configSource: int8(),
            isSensitive: boolean(),
            synonyms: array(
              struct({ name: string(), value: string({ nullable: true }), source: int8() }),
            ),
            configType: int8({ since: 3 }),
            documentation: string({ since: 3, nullable: 3 }),
          }),
        ),
      }),
    ),
  }),
});

type Request = RequestOf<typeof describeConfigs>;
type Resource = Request["resources"][number];
type Result = ResponseInput<typeof describeConfigs>["results"][number];

/** Configs of one answer, all resources together: about 14,000 topics with all of theirs. */
const entriesMax = 500_000;

export const handleDescribeConfigs: Handler<typeof describeConfigs> = (request, context) => {
  let left = entriesMax;
  const results = request.resources.map((resource): Result => {
    const { resourceType: type, resourceName } = resource;
    try {
      if (left <= 0) throw tooManyEntries();
      const configs = entries(resource, context).map((entry) => encoded(entry, request));
      left -= configs.length;
      return { ...noError, resourceType: type, resourceName, configs };
    } catch (error) {
      const failure = itemError(error, context, "DescribeConfigs");
      return { ...failure, resourceType: type, resourceName, configs: [] };
    }
  });
  return { throttleTimeMs: 0, results };
};

function tooManyEntries(): BrokerError {
  return new BrokerError(
    "INVALID_REQUEST",
    `One answer holds ${entriesMax} configs at most: ask for fewer resources, or for some keys only.`,
  );
}

function entries(resource: Resource, context: HandlerContext): readonly ConfigEntry[] {
  const { resourceType: type, resourceName: name } = resource;
  if (type === resourceType.brokerLogger) {
    if (name === "") throw new BrokerError("INVALID_REQUEST", "Broker id must not be empty");
    const { brokerId } = context.broker;
    checkOwnId(name, { brokerId, expected: ` ${brokerId}` });
    return [];
  }
  if (type === resourceType.clientMetrics) {
    if (name !== "") return [];
    throw new BrokerError("INVALID_REQUEST", "Client metrics subscription name must not be empty");
  }
  const keys = resource.configurationKeys;
  const found = context.broker.describeConfigs(
    describedResource(resource, context),
    keys === null || keys.length === 0 ? null : keys,
  );
  const defaultsOnly = type === resourceType.broker && name === "";
  return defaultsOnly ? found.filter(isClusterDefault) : found;
}

function isClusterDefault({ source }: ConfigEntry): boolean {
  return source === "DYNAMIC_DEFAULT_BROKER_CONFIG";
}

function encoded(entry: ConfigEntry, request: Request) {
  const shown = (value: string | null) => (entry.sensitive ? null : value);
  return {
    name: entry.name,
    value: shown(entry.value),
    readOnly: entry.readOnly,
    configSource: configSource[entry.source],
    isSensitive: entry.sensitive,
    synonyms: request.includeSynonyms
      ? entry.synonyms.map(({ name, value, source }) => ({
          name,
          value: shown(value),
          source: configSource[source],
        }))
      : [],
    configType: configType[entry.type],
    documentation: request.includeDocumentation ? entry.documentation : null,
  };
}
