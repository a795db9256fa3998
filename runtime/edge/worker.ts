// The Worker in front of the log: a ready entry for workerd. Bind LOG to the class TimberlineLog; what comes in over
// HTTP and, where the runtime allows it, over TCP goes to an object. With BROKERS=N there are N of them: connections to
// the first broker's port + i are for broker i.

import type { StreamSocket } from "../platforms/workerd.ts";
import { brokerCount, brokerObject, brokerOfUrl, type ObjectNamespace } from "./objects.ts";

export { LogObject as TimberlineLog } from "./log-object.ts";

interface Bindings {
  readonly LOG: ObjectNamespace;
  readonly BROKERS?: string;
  /** Where the first broker's connections come in; default: Kafka's own. */
  readonly KAFKA_PORT?: string;
}

const kafkaPortDefault = 9092;

export default {
  fetch(request: Request, env: Bindings): Promise<Response> {
    const count = countOf(env);
    const id = count && brokerOfUrl(new URL(request.url), count);
    return brokerObject(env.LOG, id).fetch(request);
  },

  /** The address is only a name: the object sees who connected as the host. */
  async connect(socket: StreamSocket, env: Bindings): Promise<void> {
    const { remoteAddress, localAddress } = await socket.opened;
    const id = brokerAt(localAddress, env);
    const inner = brokerObject(env.LOG, id).connect(remoteAddress ?? "client:0");
    const ways = [socket.readable.pipeTo(inner.writable), inner.readable.pipeTo(socket.writable)];
    await Promise.allSettled(ways);
  },
};

function brokerAt(localAddress = "", env: Bindings): number | undefined {
  const count = countOf(env);
  if (count === undefined) return undefined;
  const port = Number(localAddress.slice(localAddress.lastIndexOf(":") + 1));
  const id = port - Number(env.KAFKA_PORT ?? kafkaPortDefault);
  return id >= 0 && id < count ? id : 0;
}

/** What is wrong with the variable is told by the object. */
function countOf({ BROKERS: brokers }: Bindings): number | undefined {
  try {
    return brokerCount(brokers);
  } catch {
    return undefined;
  }
}
