// ApiVersions (18): which APIs and versions this broker speaks, derived from the registrations. Every client
// asks it first. v0–2 fixed, v3 flexible with the client's name (KIP-511) and features (KIP-584), v4 allows
// features whose lowest level is 0. The answer's header is always v0. A version we do not know is answered
// with error 35 and a v0 body that says what we know, so that a newer client can step down.

import type { ClusterState } from "../../../cluster/control-plane.ts";
import { featureLevel, features, featuresEpoch } from "../../features.ts";
import { errorCodes } from "../error-codes.ts";
import type { Handler } from "../handler.ts";
import {
  type Api,
  array,
  boolean,
  defineApi,
  int16,
  int32,
  int64,
  type ResponseInput,
  string,
  struct,
} from "../schema.ts";

export const apiVersions = defineApi({
  key: 18,
  name: "ApiVersions",
  versions: { min: 0, max: 4 },
  flexibleSince: 3,
  request: struct({
    clientSoftwareName: string({ since: 3 }),
    clientSoftwareVersion: string({ since: 3 }),
  }),
  response: struct({
    errorCode: int16(),
    apiKeys: array(struct({ apiKey: int16(), minVersion: int16(), maxVersion: int16() })),
    throttleTimeMs: int32({ since: 1, default: 0 }),
    supportedFeatures: array(struct({ name: string(), minVersion: int16(), maxVersion: int16() }), {
      since: 3,
      tag: 0,
      default: [],
    }),
    finalizedFeaturesEpoch: int64({ since: 3, tag: 1, default: -1 }),
    finalizedFeatures: array(
      struct({ name: string(), maxVersionLevel: int16(), minVersionLevel: int16() }),
      { since: 3, tag: 2, default: [] },
    ),
    zkMigrationReady: boolean({ since: 3, tag: 3, default: false }),
  }),
});

/** Older clients fail on a feature whose lowest level is 0: it is not shown to them. */
const lowestLevelZeroSince = 4;
const softwareNamePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** `apis` is asked on first use: the list of registrations holds this handler too. */
export function answerApiVersions(apis: () => readonly Api[]): Handler<typeof apiVersions> {
  const answers = new Map<boolean, ResponseInput<typeof apiVersions>>();
  let answersEpoch = -1;
  return (request, { apiVersion, broker }) => {
    if (apiVersion >= 3 && !isNamed(request)) return refusal(errorCodes.INVALID_REQUEST);
    const allowsZero = apiVersion >= lowestLevelZeroSince;
    const cluster = broker.cluster();
    const epoch = featuresEpoch(cluster);
    if (epoch !== answersEpoch) answers.clear();
    answersEpoch = epoch;
    const answer = answers.get(allowsZero) ?? answerFor(apis(), allowsZero, cluster);
    answers.set(allowsZero, answer);
    return answer;
  };
}

/** What a client that asks in an unknown version gets, in v0 form. */
export function unknownVersionAnswer(): ResponseInput<typeof apiVersions> {
  const { key, versions } = apiVersions;
  return {
    ...refusal(errorCodes.UNSUPPORTED_VERSION),
    apiKeys: [{ apiKey: key, minVersion: versions.min, maxVersion: versions.max }],
  };
}

function answerFor(
  apis: readonly Api[],
  allowsZero: boolean,
  cluster: ClusterState,
): ResponseInput<typeof apiVersions> {
  const levels = features.map((feature) => ({
    name: feature.name,
    level: featureLevel(cluster, feature),
  }));
  return {
    ...refusal(errorCodes.NONE),
    apiKeys: apis.map(({ key, advertisedMin, versions }) => ({
      apiKey: key,
      minVersion: advertisedMin,
      maxVersion: versions.max,
    })),
    supportedFeatures: features.filter(({ minVersion }) => allowsZero || minVersion > 0),
    finalizedFeaturesEpoch: featuresEpoch(cluster),
    // A feature at level 0 is one that is not used.
    finalizedFeatures: levels
      .filter(({ level }) => level > 0)
      .map(({ name, level }) => ({ name, maxVersionLevel: level, minVersionLevel: level })),
  };
}

function isNamed(client: { clientSoftwareName: string; clientSoftwareVersion: string }): boolean {
  return (
    softwareNamePattern.test(client.clientSoftwareName) &&
    softwareNamePattern.test(client.clientSoftwareVersion)
  );
}

function refusal(errorCode: number): ResponseInput<typeof apiVersions> {
  return { errorCode, apiKeys: [] };
}
