// The server's part of the tunnel for Kafka's frames over HTTP: to its own door without a socket, to the other brokers
// of its cluster over TCP. To nobody else: a server that connects to whatever address it is told is a way into its net.

import type { ControlPlane } from "../cluster/control-plane.ts";
import { formatHostPort } from "./config.ts";
import { connectionPair } from "./connection-pair.ts";
import { BrokerError } from "./errors.ts";
import type { KafkaTunnel } from "./http/kafka-tunnel.ts";
import type { KafkaDoor } from "./kafka/door.ts";
import type { Connection, Platform } from "./platform.ts";

const connectTimeoutMs = 5_000;

export function serverTunnel(
  platform: Pick<Platform, "network">,
  controlPlane: ControlPlane,
  brokerId: number,
  door: Pick<KafkaDoor, "accept">,
): KafkaTunnel {
  const connect = (broker: string | undefined, from: string): Connection | Promise<Connection> => {
    const asked = broker === undefined ? undefined : brokerAt(controlPlane, broker);
    if (asked !== undefined && asked.id !== brokerId) {
      const { host, port } = asked;
      return dialled(platform.network.dial({ host, port, timeoutMs: connectTimeoutMs }), broker);
    }
    const [near, far] = connectionPair({ address: from, port: 0 });
    door.accept(far);
    return near;
  };
  // With the schemas of the Kafka door: loaded as late as that.
  const answersDue = async (requests: Uint8Array): Promise<number> => {
    const loaded = await import("./kafka/answers-due.ts");
    return loaded.answersDue(requests);
  };
  return { connect, answersDue };
}

function brokerAt(controlPlane: ControlPlane, address: string) {
  const brokers = [...controlPlane.state().brokers.values()];
  const found = brokers.find((broker) => formatHostPort(broker) === address);
  if (found !== undefined) return found;
  const known = brokers.map(formatHostPort).join(", ");
  throw new BrokerError(
    "BROKER_NOT_AVAILABLE",
    `${address} is no broker of this cluster; its brokers are ${known}`,
  );
}

async function dialled(dial: Promise<Connection>, broker: string | undefined): Promise<Connection> {
  try {
    return await dial;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BrokerError("BROKER_NOT_AVAILABLE", `${broker} cannot be reached: ${why}`, { cause });
  }
}
