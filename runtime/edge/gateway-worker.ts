// The Worker of a gateway: a ready entry for workerd. Bind GATEWAY to the class TimberlineGateway and set BOOTSTRAP.
// With GATEWAYS=N there are N objects; whatever is about one topic goes to the same, so that its tails share a fetch.

import { topicsIn } from "../gateway/request-topics.ts";
import { brokerOfPath, type ObjectNamespace } from "./objects.ts";

export { GatewayObject as TimberlineGateway } from "./gateway-object.ts";

interface Bindings {
  readonly GATEWAY: ObjectNamespace;
  readonly GATEWAYS?: string;
}

const gatewaysMax = 64;

export default {
  fetch(request: Request, env: Bindings): Promise<Response> {
    const { names } = topicsIn(request.url);
    const asked = Number(env.GATEWAYS ?? 1);
    const count = asked >= 1 && asked <= gatewaysMax ? Math.floor(asked) : 1;
    const index = brokerOfPath(names.at(-1) ?? "", count);
    return env.GATEWAY.get(env.GATEWAY.idFromName(`gateway-${index}`)).fetch(request);
  },
};
