// UpdateFeatures (57): raises or lowers the level of a feature for the whole cluster (KIP-584). All of a request's changes
// apply, or none. v0 says whether a level may go down, v1 how (1 up, 2 down safely, 3 down whatever it costs), and v1 can
// only look; from v2 on one error stands for all (KIP-1022). All versions are flexible.

import type { ConfigOperation } from "../../broker.ts";
import {
  type Feature,
  featureLevel,
  features,
  featuresEpoch,
  featuresEpochKey,
} from "../../features.ts";
import { noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { duplicates, itemError, refusal } from "../item-error.ts";
import type { RequestOf } from "../schema.ts";
import { array, boolean, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

export const updateFeatures = defineApi({
  key: 57,
  name: "UpdateFeatures",
  versions: { min: 0, max: 2 },
  flexibleSince: 0,
  request: struct({
    timeoutMs: int32({ default: 60_000 }),
    featureUpdates: array(
      struct({
        feature: string(),
        maxVersionLevel: int16(),
        allowDowngrade: boolean({ until: 0, default: false }),
        upgradeType: int8({ since: 1, default: 1 }),
      }),
    ),
    validateOnly: boolean({ since: 1, default: false }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: true }),
    results: array(
      struct({ feature: string(), errorCode: int16(), errorMessage: string({ nullable: true }) }),
      { until: 1, default: [] },
    ),
  }),
});

type Update = RequestOf<typeof updateFeatures>["featureUpdates"][number];
type Refusal = ReturnType<typeof refusal>;

const upgrade = 1;
const oneErrorForAllSince = 2;

export const handleUpdateFeatures: Handler<typeof updateFeatures> = async (request, context) => {
  const updates = request.featureUpdates;
  const twice = duplicates(updates.map(({ feature }) => feature));
  const results = updates.map((update) => {
    const why = twice.has(update.feature)
      ? refusal("INVALID_REQUEST", `The feature ${update.feature} is named twice.`)
      : whyNot(update, context);
    return { feature: update.feature, ...(why ?? noError) };
  });
  const refused = results.find(({ errorCode }) => errorCode !== noError.errorCode);
  if (refused !== undefined) {
    const { errorCode, errorMessage } = refused;
    if (context.apiVersion >= oneErrorForAllSince) return { errorCode, errorMessage };
    // None is changed: those that could be are told why.
    const all = results.map(({ feature }) => ({ feature, errorCode, errorMessage }));
    return { ...noError, results: all };
  }
  if (request.validateOnly) return { ...noError, results };
  try {
    await change(updates, context);
    return { ...noError, results };
  } catch (error) {
    return itemError(error, context, "UpdateFeatures");
  }
};

async function change(updates: readonly Update[], { broker }: HandlerContext): Promise<void> {
  const changed = updates.filter((update) => {
    return update.maxVersionLevel !== featureLevel(broker.cluster(), named(update.feature)!);
  });
  if (changed.length === 0) return;
  const set = (name: string, value: number): ConfigOperation => {
    return { name, op: "set", value: String(value) };
  };
  const levels = changed.map(({ feature, maxVersionLevel }) => {
    return set(named(feature)!.key!, maxVersionLevel);
  });
  const epoch = set(featuresEpochKey, featuresEpoch(broker.cluster()) + 1);
  const everywhere = { kind: "broker", broker: null } as const;
  await broker.alterConfigs(everywhere, [...levels, epoch], { validateOnly: false });
}

function whyNot(update: Update, { broker, apiVersion }: HandlerContext): Refusal | undefined {
  const { feature: name, maxVersionLevel: level } = update;
  const feature = named(name);
  if (feature === undefined) {
    return refusal("INVALID_UPDATE_VERSION", `There is no feature ${name}.`);
  }
  const now = featureLevel(broker.cluster(), feature);
  if (level === now) return undefined;
  if (feature.key === undefined || level < feature.minVersion || level > feature.maxVersion) {
    return refusal("INVALID_UPDATE_VERSION", `${name} cannot be ${level}: ${rangeOf(feature)}.`);
  }
  const mayGoDown = apiVersion === 0 ? update.allowDowngrade : update.upgradeType > upgrade;
  if (level < now && !mayGoDown) {
    const what = `${name} is ${now}: ${level} is lower, and the request does not allow that.`;
    return refusal("INVALID_UPDATE_VERSION", what);
  }
  if (level > now && apiVersion > 0 && update.upgradeType !== upgrade) {
    const what = `${name} is ${now}: ${level} is higher, and the request is a downgrade.`;
    return refusal("INVALID_UPDATE_VERSION", what);
  }
  return undefined;
}

function rangeOf({ key, minVersion, maxVersion }: Feature): string {
  return key === undefined
    ? `it is always ${maxVersion}`
    : `${minVersion} to ${maxVersion} are known`;
}

function named(name: string): Feature | undefined {
  return features.find((feature) => feature.name === name);
}
