// AlterConfigs (33): sets the configs of topics and brokers as a whole: what a request does not name goes back
// to its default. Old clients only; newer ones use IncrementalAlterConfigs. v2 is flexible.

import { BrokerError } from "../../errors.ts";
import {
  alteredResource,
  type NamedResource,
  refuseAltering,
  resourceKey,
  resourceType,
} from "../config-resources.ts";
import { type ErrorAnswer, noError } from "../error-codes.ts";
import type { Handler, HandlerContext } from "../handler.ts";
import { duplicates, itemError, refusal } from "../item-error.ts";
import type { RequestOf } from "../schema.ts";
import { array, boolean, defineApi, int8, int16, int32, string, struct } from "../schema.ts";

/** The answer of IncrementalAlterConfigs is the same. */
export const alterConfigsResponse = struct({
  throttleTimeMs: int32(),
  responses: array(
    struct({
      errorCode: int16(),
      errorMessage: string({ nullable: true }),
      resourceType: int8(),
      resourceName: string(),
    }),
  ),
});

export const alterConfigs = defineApi({
  key: 33,
  name: "AlterConfigs",
  versions: { min: 0, max: 2 },
  flexibleSince: 2,
  request: struct({
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configs: array(struct({ name: string(), value: string({ nullable: true }) })),
      }),
    ),
    validateOnly: boolean(),
  }),
  response: alterConfigsResponse,
});

type Resource = RequestOf<typeof alterConfigs>["resources"][number];

export const handleAlterConfigs: Handler<typeof alterConfigs> = async (request, context) => {
  const { validateOnly } = request;
  const responses = await alterEach(request.resources, context, async (resource) => {
    const configs = wantedConfigs(resource);
    const isLogger = resource.resourceType === resourceType.brokerLogger;
    if (!isLogger && refuseAltering(resource, resource.configs, context)) return;
    await context.broker.replaceConfigs(alteredResource(resource, context), configs, {
      validateOnly,
    });
  });
  return { throttleTimeMs: 0, responses };
};

function wantedConfigs({ configs }: Resource): Map<string, string> {
  const wanted = new Map<string, string>();
  for (const { name, value } of configs) {
    if (value === null) {
      throw new BrokerError("INVALID_REQUEST", `Null value not supported for : ${name}`);
    }
    wanted.set(name, value);
  }
  return wanted;
}

interface AlteredResource extends NamedResource {
  readonly configs: readonly { readonly name: string }[];
}

/** Alters resources one after the other; what occurs twice is refused before anything is touched. */
export async function alterEach<R extends AlteredResource>(
  resources: readonly R[],
  context: HandlerContext,
  alter: (resource: R) => Promise<void>,
) {
  const twice = duplicates(resources.map(resourceKey));
  const results = new Map<string, NamedResource & ErrorAnswer>();
  for (const resource of resources) {
    const key = resourceKey(resource);
    if (results.has(key)) continue;
    const { resourceType: type, resourceName } = resource;
    const result = twice.has(key)
      ? refusal("INVALID_REQUEST", "Each resource must appear at most once.")
      : await alterOne(resource, context, alter);
    results.set(key, { ...result, resourceType: type, resourceName });
  }
  return [...results.values()];
}

async function alterOne<R extends AlteredResource>(
  resource: R,
  context: HandlerContext,
  alter: (resource: R) => Promise<void>,
): Promise<ErrorAnswer> {
  try {
    const twice = duplicates(resource.configs.map((config) => config.name));
    if (twice.size > 0) {
      throw new BrokerError("INVALID_REQUEST", "Error due to duplicate config keys");
    }
    await alter(resource);
    return noError;
  } catch (error) {
    return itemError(error, context, "AlterConfigs");
  }
}
