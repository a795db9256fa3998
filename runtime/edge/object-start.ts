// How an object starts: configuration from the Worker's variables, the platform of `platforms/workerd.ts`, and the same
// `createServer` as everywhere. One of several brokers joins the others through the object that keeps their metadata.

import {
  type BrokerConfig,
  formatHostPort,
  formatProblem,
  type HostPort,
  loadConfig,
} from "../config.ts";
import { BrokerError } from "../errors.ts";
import { createPlatform, type ObjectStorage, type WorkerdPlatform } from "../platforms/workerd.ts";
import { createServer, type JoinCluster, type Server } from "../server.ts";
import { Log, type Logger, type LogLevel } from "../telemetry/logger.ts";
import { edgeDefaults, fleetDefaults } from "./edge-defaults.ts";
import {
  brokerObject,
  metadataPlace,
  type ObjectNamespace,
  objectAt,
  type Role,
} from "./objects.ts";

/**
 * Bindings. Strings named TIMBERLINE_… are configuration, as the environment of `timberline serve`. OBJECT_BYTES_MAX:
 * refuse to store more than that; COMPATIBILITY_DATE: the Worker's, for the metrics; BROKERS: among how many objects
 * partitions are spread, which LOG names.
 */
export type Variables = Readonly<Record<string, unknown>>;

/** Of a broker, its server; the metadata's object has none. */
export interface Running {
  readonly platform: WorkerdPlatform;
  readonly server?: Server;
}

export interface ObjectStart {
  readonly storage: ObjectStorage;
  readonly env: Variables;
  readonly role: Role;
  /** Told of the platform before anything waits: others may knock already. */
  readonly opened: (platform: WorkerdPlatform) => void;
}

export async function startObject(start: ObjectStart): Promise<Running> {
  return start.role.kind === "metadata" ? startMetadata(start) : startBroker(start);
}

async function startBroker({ storage, env, role, opened }: ObjectStart): Promise<Running> {
  const first = await configOf(env, role);
  const address = first.advertised ?? first.kafkaListener;
  const config = role.kind === "broker" ? await configOf(env, role, address) : first;
  const objects = env.LOG as ObjectNamespace;
  const platform = createPlatform({
    storage,
    // With any other mode something is acknowledged before it is synced: then nothing may wait in memory.
    isBuffered: config.flush.mode === "group",
    ...platformOptions(env),
    ...(role.kind === "broker" && {
      objectAt: (at: HostPort) => objectAt(objects, at, address, role.count),
    }),
  });
  opened(platform);
  const level = (config.text("timberline.log.level") ?? "info") as LogLevel;
  const write = (line: string) => console.error(line.trimEnd());
  const log = new Log({ clock: platform.clock, level, format: "text", write });
  const logger = log.logger();
  if (role.kind === "broker") wakeOthers(objects, role);
  const server = await createServer({
    platform,
    config,
    logger,
    setLogLevel: (changed) => log.setLevel(changed),
    hasLateKafka: true,
    ...(role.kind === "broker" && { joinCluster: await joiner(platform, config, logger) }),
  });
  return { platform, server };
}

async function startMetadata({ storage, env, opened }: ObjectStart): Promise<Running> {
  const { serveMetadata } = await import("../platforms/served-metadata.ts");
  const platform = createPlatform({ storage, ...platformOptions(env) });
  opened(platform);
  await serveMetadata(platform, platform.openStorage(""));
  return { platform };
}

/** Several brokers differ in their number and in where they are told to be: the first one's port, and one more each. */
async function configOf(env: Variables, role: Role, first?: HostPort): Promise<BrokerConfig> {
  const texts = Object.entries(env).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const { config, problems } = await loadConfig({
    env: {
      ...edgeDefaults,
      ...(role.kind === "broker" ? fleetDefaults : {}),
      ...Object.fromEntries(texts),
      ...(role.kind === "broker" && first ? ownVariables(role.id, first) : {}),
    },
  });
  if (problems.length === 0) return config;
  throw new BrokerError("INVALID_CONFIG", problems.map(formatProblem).join("\n"));
}

function ownVariables(id: number, { host, port }: HostPort): Record<string, string> {
  const address = formatHostPort({ host, port: port + id });
  return {
    TIMBERLINE_NODE_ID: String(id),
    TIMBERLINE_ADVERTISED_LISTENERS: `PLAINTEXT://${address}`,
  };
}

async function joiner(
  platform: WorkerdPlatform,
  config: BrokerConfig,
  logger: Logger,
): Promise<JoinCluster> {
  const { memberJoiner, openServedLog } = await import("../platforms/served-metadata.ts");
  const log = logger.child("cluster");
  const settings = {
    heartbeatMs: config.number("broker.heartbeat.interval.ms"),
    sessionMs: config.number("broker.session.timeout.ms"),
  };
  const openLog = () => openServedLog(platform, metadataPlace);
  return memberJoiner(platform, openLog, settings, (alarm) => {
    if (alarm === null) log.info("metadata-back", "changes of the cluster are taken again");
    else log.error("metadata-alarm", `the cluster takes no changes: ${alarm}`);
  });
}

/** An object is there once somebody calls it; what only it has would be missed until then. */
function wakeOthers(objects: ObjectNamespace, { id, count }: Role & { kind: "broker" }): void {
  for (let other = 0; other < count; other++) {
    if (other === id) continue;
    const answered = brokerObject(objects, other).fetch("http://broker/healthz");
    answered.then((response) => response.body?.cancel()).catch(() => {});
  }
}

function platformOptions({ COMPATIBILITY_DATE: version, OBJECT_BYTES_MAX: limit }: Variables) {
  const storageBytesMax = Number(limit);
  return {
    ...(typeof version === "string" ? { version } : {}),
    ...(storageBytesMax > 0 ? { storageBytesMax } : {}),
  };
}
