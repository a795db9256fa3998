// Values that are each allowed and do not fit together: what forbids the start, and what deserves a warning.

import type { BrokerConfig, NumberKey } from "./broker-config.ts";
import type { ConfigProblem } from "./problem.ts";
import { isEveryAddress } from "./rules.ts";

interface Found {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export function contradictions(config: BrokerConfig): Found {
  const problems = [unreachable(config), samePort(config), ...noRoomForGroups(config)];
  const warnings = [tooFewReplicas(config), neverSent(config), noSpareReplica(config)];
  return { problems: problems.filter(isFound), warnings: warnings.filter(isFound) };
}

function unreachable(config: BrokerConfig): ConfigProblem | undefined {
  const { host, port } = config.kafkaListener;
  if (!isEveryAddress(host) || config.advertised) return undefined;
  return found(config, "listeners", {
    message: `listens on every address (${host}), so clients must be told which one to use`,
    allowed: "advertised.listeners with a name or address that clients can reach",
    paste: `--advertise ${EXAMPLE_HOST}:${port || 9092}`,
  });
}

function samePort(config: BrokerConfig): ConfigProblem | undefined {
  const kafka = config.kafkaListener;
  const http = config.httpListener;
  const sameHost =
    http && (http.host === kafka.host || isEveryAddress(http.host) || isEveryAddress(kafka.host));
  if (!sameHost || http.port === 0 || http.port !== kafka.port) return undefined;
  return found(config, "timberline.http.port", {
    message: `both doors cannot listen on port ${http.port}`,
    allowed: "two different ports, or 0 for a free one",
    paste: `--http-port ${http.port === 8080 ? 8081 : 8080}`,
  });
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
