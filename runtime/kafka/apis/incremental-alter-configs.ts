// IncrementalAlterConfigs (44): sets, deletes, appends to or subtracts from single configs of topics and
// brokers; what is not named stays (KIP-339). All of a resource's operations apply, or none. v1 is flexible.

import type { ConfigOperation } from "../../broker.ts";
import { BrokerError } from "../../errors.ts";
import { alteredResource, refuseAltering } from "../config-resources.ts";
import type { Handler } from "../handler.ts";
import type { RequestOf } from "../schema.ts";
import { array, boolean, defineApi, int8, string, struct } from "../schema.ts";
import { alterConfigsResponse, alterEach } from "./alter-configs.ts";

export const incrementalAlterConfigs = defineApi({
  key: 44,
  name: "IncrementalAlterConfigs",
  versions: { min: 0, max: 1 },
  flexibleSince: 1,
  request: struct({
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({ name: string(), configOperation: int8(), value: string({ nullable: true }) }),
        ),
      }),
    ),
    validateOnly: boolean(),
  }),
  response: alterConfigsResponse,
});

type Change = RequestOf<typeof incrementalAlterConfigs>["resources"][number]["configs"][number];

/** Wire numbers. */
const operations = ["set", "delete", "append", "subtract"] as const;

export const handleIncrementalAlterConfigs: Handler<typeof incrementalAlterConfigs> = async (
  request,
  context,
) => {
  const { validateOnly } = request;
  const responses = await alterEach(request.resources, context, async (resource) => {
    const changes = resource.configs.map(operation);
    if (refuseAltering(resource, resource.configs, context)) return;
    await context.broker.alterConfigs(alteredResource(resource, context), changes, {
      validateOnly,
    });
  });
  return { throttleTimeMs: 0, responses };
};

function operation({ name, configOperation, value }: Change): ConfigOperation {
  const op = operations[configOperation];
  if (op === undefined) {
    throw new BrokerError("INVALID_REQUEST", `Unknown operation type ${configOperation}.`);
  }
  if (op === "delete") return { name, op };
  if (value === null) {
    throw new BrokerError("INVALID_REQUEST", `Null value not supported for : ${name}`);
  }
  return { name, op, value };
}
