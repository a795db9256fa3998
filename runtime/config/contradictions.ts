// Values that are each allowed and do not fit together: what forbids the start, and what deserves a warning.

import type { BrokerConfig, NumberKey, TextKey } from "./broker-config.ts";
import type { BrokerKeyName } from "./broker-keys.ts";
import { hasSasl, isEncrypted, protocolsOf } from "./listeners.ts";
import type { ConfigProblem } from "./problem.ts";
import { clientListeners, type HostPort, isEveryAddress } from "./rules.ts";

interface Found {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export function contradictions(config: BrokerConfig): Found {
  const problems = [
    unreachable(config),
    samePort(config),
    ...unsafe(config),
    ...noRoomForGroups(config),
  ];
  const warnings = [
    tooFewReplicas(config),
    neverSent(config),
    noSpareReplica(config),
    openHttp(config),
  ];
  return { problems: problems.filter(isFound), warnings: warnings.filter(isFound) };
}

function unreachable(config: BrokerConfig): ConfigProblem | undefined {
  const listeners = config.kafkaListeners;
  const hidden = listeners.find(({ host, advertised }) => isEveryAddress(host) && !advertised);
  if (hidden === undefined) return undefined;
  const { host, port, name } = hidden;
  const isMain = hidden === listeners[0];
  return found(config, "listeners", {
    message: `listens on every address (${host}), so clients must be told which one to use`,
    allowed: "advertised.listeners with a name or address that clients can reach",
    paste: isMain
      ? `--advertise ${EXAMPLE_HOST}:${port || 9092}`
      : `advertised.listeners=…,${name}://${EXAMPLE_HOST}:${port || 9093}`,
  });
}

function samePort(config: BrokerConfig): ConfigProblem | undefined {
  const http = config.httpListener;
  const clash = (one: HostPort, other: HostPort) =>
    one.port !== 0 &&
    one.port === other.port &&
    (one.host === other.host || isEveryAddress(one.host) || isEveryAddress(other.host));
  if (http && config.kafkaListeners.some((kafka) => clash(http, kafka))) {
    return found(config, "timberline.http.port", {
      message: `both doors cannot listen on port ${http.port}`,
      allowed: "two different ports, or 0 for a free one",
      paste: `--http-port ${http.port === 8080 ? 8081 : 8080}`,
    });
  }
  const all = config.kafkaListeners;
  const twice = all.find((one, at) => all.some((other, index) => index < at && clash(one, other)));
  if (twice === undefined) return undefined;
  return found(config, "listeners", {
    message: `two listeners cannot have port ${twice.port}`,
    allowed: "a port of its own for each listener",
    paste: null,
  });
}

/** What would leave a listener less safe than it was meant, or without what it needs. */
function unsafe(config: BrokerConfig): (ConfigProblem | undefined)[] {
  const listeners = config.kafkaListeners;
  const names = listeners.map(({ name }) => name);
  const protocols = protocolsOf(config.text("listener.security.protocol.map") ?? "");
  const wants = (key: BrokerKeyName, message: string, allowed: string) =>
    found(config, key, { message, allowed, paste: null });
  const problems: (ConfigProblem | undefined)[] = [];
  for (const name of names.filter((one) => !protocols.has(one))) {
    const allowed = `${name}:PROTOCOL in listener.security.protocol.map`;
    problems.push(wants("listeners", `${name} stands for no protocol`, allowed));
  }
  const advertised = clientListeners(config.text("advertised.listeners") ?? "");
  for (const { name } of advertised.filter((one) => !names.includes(one.name))) {
    problems.push(
      wants("advertised.listeners", `there is no listener ${name}`, `of ${names.join(", ")}`),
    );
  }
  const between = config.text("inter.broker.listener.name")?.toUpperCase();
  if (between !== undefined && !names.includes(between)) {
    const message = `there is no listener ${between}`;
    problems.push(wants("inter.broker.listener.name", message, `one of ${names.join(", ")}`));
  }
  return [...problems, ...unprepared(config, wants)];
}

function unprepared(
  config: BrokerConfig,
  wants: (key: BrokerKeyName, message: string, allowed: string) => ConfigProblem,
): (ConfigProblem | undefined)[] {
  const listeners = config.kafkaListeners;
  const has = (key: TextKey) => (config.text(key) ?? "") !== "";
  const isInline = has("ssl.keystore.certificate.chain") && has("ssl.keystore.key");
  const needsKey = listeners.some(({ protocol }) => isEncrypted(protocol));
  const isKeyless = needsKey && !has("ssl.keystore.location") && !isInline;
  const asksClients = needsKey && config.text("ssl.client.auth") !== "none";
  const trusts = has("ssl.truststore.location") || has("ssl.truststore.certificates");
  const isShared = config.list("timberline.nats.servers").length > 0;
  const isPlain = listeners.length === 1 && listeners[0]!.protocol === "PLAINTEXT";
  return [
    isKeyless
      ? wants(
          "listeners",
          "an encrypted listener needs a certificate",
          "ssl.keystore.location with a PEM file, or ssl.keystore.certificate.chain and ssl.keystore.key",
        )
      : undefined,
    asksClients && !trusts
      ? wants(
          "ssl.client.auth",
          "nothing vouches for clients",
          "ssl.truststore.location with a PEM file, or ssl.truststore.certificates",
        )
      : undefined,
    isShared && !isPlain
      ? wants(
          "listeners",
          "brokers of a cluster have one PLAINTEXT listener in this version",
          "one PLAINTEXT listener on a private address; a broker that is alone may have any",
        )
      : undefined,
  ];
}

/** SASL on one door, and another door where nobody is asked. */
function openHttp(config: BrokerConfig): ConfigProblem | undefined {
  const asks = config.kafkaListeners.some(
    ({ protocol }) =>
      hasSasl(protocol) || (isEncrypted(protocol) && config.text("ssl.client.auth") === "required"),
  );
  const http = config.httpListener;
  if (!asks || http === undefined || isLoopback(http.host)) return undefined;
  return found(config, "timberline.http.host", {
    message: "the HTTP door asks nobody who they are: everyone who reaches it may do everything",
    allowed: "timberline.http.host=127.0.0.1, or timberline.http.enable=false",
    paste: null,
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function tooFewReplicas(config: BrokerConfig): ConfigProblem | undefined {
  const least = config.number("min.insync.replicas");
  const replicas = config.number("default.replication.factor");
  if (least <= replicas) return undefined;
  return found(config, "min.insync.replicas", {
    message: `new topics have ${replicas} replica(s), so acks=all will always be refused`,
    allowed: `at most default.replication.factor (${replicas})`,
    paste: null,
  });
}

function noSpareReplica(config: BrokerConfig): ConfigProblem | undefined {
  const least = config.number("min.insync.replicas");
  if (least < 2 || least !== config.number("default.replication.factor")) return undefined;
  return found(config, "min.insync.replicas", {
    message: "equals default.replication.factor: one replica down stops acks=all",
    allowed: `${least - 1}, or one more replica`,
    paste: null,
  });
}

/** Bounds that exclude each other, and members that are put out before they are due to report. */
function noRoomForGroups(config: BrokerConfig): (ConfigProblem | undefined)[] {
  const above = (low: NumberKey, high: NumberKey, isFine: (a: number, b: number) => boolean) =>
    isFine(config.number(low), config.number(high))
      ? undefined
      : found(config, low, {
          message: `does not fit ${high} (${config.number(high)})`,
          allowed: `below ${config.number(high)}`,
          paste: null,
        });
  const notAbove = (a: number, b: number) => a <= b;
  return [
    above("group.min.session.timeout.ms", "group.max.session.timeout.ms", notAbove),
    above(
      "group.consumer.min.session.timeout.ms",
      "group.consumer.max.session.timeout.ms",
      notAbove,
    ),
    above(
      "group.consumer.min.heartbeat.interval.ms",
      "group.consumer.max.heartbeat.interval.ms",
      notAbove,
    ),
    above(
      "group.consumer.heartbeat.interval.ms",
      "group.consumer.session.timeout.ms",
      (interval, session) => interval < session,
    ),
  ];
}

function neverSent(config: BrokerConfig): ConfigProblem | undefined {
  const batch = config.number("message.max.bytes");
  const request = config.number("socket.request.max.bytes");
  if (batch <= request) return undefined;
  return found(config, "message.max.bytes", {
    message: `is above socket.request.max.bytes (${request}): such a batch cannot arrive`,
    allowed: `at most ${request}`,
    paste: null,
  });
}

const EXAMPLE_HOST = "broker.example";

function found(
  config: BrokerConfig,
  key: string,
  facts: Pick<ConfigProblem, "message" | "allowed" | "paste">,
): ConfigProblem {
  const setting = config.effective(key);
  return {
    place: setting?.place ?? "default",
    key,
    read: setting?.text ?? null,
    nearest: null,
    ...facts,
  };
}

function isFound(problem: ConfigProblem | undefined): problem is ConfigProblem {
  return problem !== undefined;
}
