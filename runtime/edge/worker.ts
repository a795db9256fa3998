// The Worker in front of the log: a ready entry for workerd. Bind LOG to the class TimberlineLog; what comes in over
// HTTP and, where the runtime allows it, over TCP goes to the object.

import type { StreamSocket } from "../platforms/workerd.ts";

export { LogObject as TimberlineLog } from "./log-object.ts";

/** A binding to a class of Durable Objects, as far as it is used. */
interface ObjectNamespace {
  idFromName(name: string): ObjectId;
  get(id: ObjectId): ObjectStub;
}

interface ObjectId {
  toString(): string;
}

interface ObjectStub {
  fetch(request: Request): Promise<Response>;
  connect(address: string): StreamSocket;
}

interface Bindings {
  readonly LOG: ObjectNamespace;
}

const objectName = "log";

export default {
  fetch(request: Request, env: Bindings): Promise<Response> {
    return logObject(env).fetch(request);
  },

  /** The address is only a name: the object sees who connected as the host. */
  async connect(socket: StreamSocket, env: Bindings): Promise<void> {
    const { remoteAddress } = await socket.opened;
    const inner = logObject(env).connect(remoteAddress ?? "client:0");
    const ways = [socket.readable.pipeTo(inner.writable), inner.readable.pipeTo(socket.writable)];
    await Promise.allSettled(ways);
  },
};

function logObject(env: Bindings): ObjectStub {
  return env.LOG.get(env.LOG.idFromName(objectName));
}
