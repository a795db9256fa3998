// The gateway's part of the tunnel for Kafka's frames over HTTP: each request gets a connection to a broker of the
// upstream, opened and authenticated as all others. To nobody else: only brokers that the upstream names are dialled.

import type { ClusterState } from "../../cluster/control-plane.ts";
import { BrokerConnection } from "../client/broker-connection.ts";
import { type Address, addressText, Context, type OwnOptions } from "../client/context.ts";
import { BrokerError } from "../errors.ts";
import type { KafkaTunnel } from "../http/kafka-tunnel.ts";
import type { Connection } from "../platform.ts";
import { inBrokersWords } from "../router/brokers-words.ts";
import { Detachable } from "./detachable.ts";

/** Connections that requests hold at once. */
const connectionsMax = 256;

/** `options`: how the gateway itself connects. */
export function gatewayTunnel(options: OwnOptions, cluster: () => ClusterState): KafkaTunnel {
  let open = 0;
  const ended = () => {
    open--;
  };
  const connect = async (broker: string | undefined): Promise<Connection> => {
    const address = brokerAt(cluster(), broker);
    if (open >= connectionsMax) {
      const what = `${connectionsMax} requests to brokers are under way`;
      throw new BrokerError("THROTTLING_QUOTA_EXCEEDED", `${what}: try again later`);
    }
    open++;
    let found: Detachable | undefined;
    const { platform } = options;
    const dial: typeof platform.network.dial = async (at) => {
      const dialled = await platform.network.dial(at);
      found = new Detachable(dialled, ended);
      return found.first;
    };
    const network = { ...platform.network, dial };
    const context = new Context({ ...options, platform: { ...platform, network } });
    try {
      await BrokerConnection.open(context, address, () => {});
    } catch (error) {
      if (found === undefined) ended();
      throw inBrokersWords(error);
    }
    return found!.detach();
  };
  // With the schemas of the Kafka door: loaded as late as that.
  const answersDue = async (requests: Uint8Array): Promise<number> => {
    const loaded = await import("../kafka/answers-due.ts");
    return loaded.answersDue(requests);
  };
  return { connect, answersDue };
}

function brokerAt({ brokers }: ClusterState, asked: string | undefined): Address {
  const all = [...brokers.values()];
  const found = asked === undefined ? all[0] : all.find((each) => addressText(each) === asked);
  if (found !== undefined) return { host: found.host, port: found.port };
  const known = all.map(addressText).join(", ");
  const what = asked === undefined ? "no broker of the upstream is known" : `${asked} is no broker`;
  throw new BrokerError("BROKER_NOT_AVAILABLE", `${what}; the upstream's are: ${known || "none"}`);
}
