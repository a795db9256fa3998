// What the server makes of its security keys: users, and for each SASL listener who asks them. Used by
// `server-kafka.ts` only.

import type { ControlPlane } from "../cluster/control-plane.ts";
import { hasSasl, isEncrypted, type KafkaListener, usersOf } from "./config/listeners.ts";
import type { BrokerConfig, HostPort } from "./config.ts";
import type { DoorListener } from "./kafka/door.ts";
import type { Platform } from "./platform.ts";
import type { SaslMechanism, SaslServer } from "./security/sasl.ts";
import { Users } from "./security/users.ts";

/** Users of the metadata, and those that the configuration names. */
export function createUsers(
  platform: Pick<Platform, "random">,
  config: BrokerConfig,
  controlPlane: Pick<ControlPlane, "state" | "alterBrokerConfigs">,
): Users {
  const configured = usersOf(config.text("timberline.sasl.users") ?? "");
  return new Users({ random: platform.random, controlPlane, configured });
}

/** What is different on the listeners of the Kafka door, by name. `told`: where clients find those besides the first. */
export function doorListeners(
  config: BrokerConfig,
  users: Users,
  told: ReadonlyMap<string, HostPort>,
): ReadonlyMap<string, DoorListener> {
  const found = new Map<string, DoorListener>();
  for (const listener of config.kafkaListeners) {
    const { name, protocol } = listener;
    const sasl = hasSasl(protocol) ? saslServer(config, users, listener) : undefined;
    const advertised = told.get(name);
    if (sasl !== undefined || advertised !== undefined) found.set(name, { advertised, sasl });
  }
  return found;
}

function saslServer(config: BrokerConfig, users: Users, { protocol }: KafkaListener): SaslServer {
  const mayTellPasswords =
    isEncrypted(protocol) || config.flag("timberline.sasl.plain.without.tls");
  const mechanisms = config
    .list("sasl.enabled.mechanisms")
    .filter((name) => name !== "PLAIN" || mayTellPasswords) as SaslMechanism[];
  return {
    mechanisms,
    begin: (mechanism) => users.begin(mechanism),
    limits: {
      requestBytesMax: config.number("sasl.server.max.receive.size"),
      deadlineMs: config.number("timberline.authentication.timeout.ms"),
      refusalDelayMs: config.number("connection.failed.authentication.delay.ms"),
      sessionMs: config.number("connections.max.reauth.ms"),
    },
  };
}
