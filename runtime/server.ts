// Server: one broker with its two doors, from a platform and a configuration. `cli/serve.ts` runs it as a
// process, programs embed it through `mod.ts`. Starts in an order in which nothing is served before it is
// recovered, and stops in one in which nothing acknowledged is lost.

import type { ControlPlane } from "../cluster/control-plane.ts";
import type { Peers } from "../cluster/peer.ts";
import { type BrokerConfig, formatHostPort, type HostPort } from "./config.ts";
import type { GroupEvent } from "./groups/coordinator.ts";
import { uuidText } from "./kafka/uuid.ts";
import { LocalBroker } from "./local-broker.ts";
import { readIdentity, writeIdentity } from "./log/folder-identity.ts";
import { type FoundPartition, LogFolder, type LogFolderEvent } from "./log/log-folder.ts";
import type { Connection, Listener, Platform, Timer } from "./platform.ts";
import type { PeerConnections } from "./replication/peers.ts";
import type { RoutedBroker } from "./router/routed-broker.ts";
import type { RunningBroker } from "./running-broker.ts";
import { peersCode } from "./server-code.ts";
import { LateKafkaDoor } from "./server-kafka.ts";
import { listenersText, type OpenListeners, openKafkaListeners } from "./server-listeners.ts";
import type { OwnMembership } from "./server-membership.ts";
import { metricSources } from "./server-metrics.ts";
import {
  asError,
  loadTransactions,
  reportBackground,
  reportFolder,
  reportGroups,
} from "./server-reports.ts";
import {
  chooseBrokerId,
  cleanerSettings,
  connectionLimits,
  httpLimits,
  type Registration,
  registrationOf,
} from "./server-settings.ts";
import { serverTunnel } from "./server-tunnel.ts";
import type { Storage } from "./storage/storage.ts";
import type { Logger, LogLevel } from "./telemetry/logger.ts";
import { Metrics } from "./telemetry/metrics.ts";
import { Scraper } from "./telemetry/scrape.ts";
import { version } from "./version.ts";

export interface ServerOptions {
  readonly platform: Platform;
  readonly config: BrokerConfig;
  readonly logger: Logger;
  /** Instead of the files in the configuration's data folder: memory, or another platform's. */
  readonly storage?: Storage;
  /** Told when `timberline.log.level` is changed while the broker runs. */
  readonly setLogLevel?: (level: LogLevel) => void;
  /** Makes it one broker of several; absent: alone, with the platform's control plane. */
  readonly joinCluster?: JoinCluster;
  /** The Kafka door's code is loaded by the first connection: for hosts that start often. Default: before any. */
  readonly hasLateKafka?: boolean;
}

/** Opens this broker's view of its cluster, caught up as far as the metadata can be reached. */
export type JoinCluster = (own: {
  readonly storage: Storage;
  readonly brokerId: number;
  /** Of the data folder, if it belongs to a cluster already. */
  readonly clusterId: string | undefined;
  readonly peers: Peers;
}) => Promise<ClusterMembership>;

export interface ClusterMembership {
  readonly controlPlane: ControlPlane;
  /** What another broker asks this one. */
  answer(question: unknown, fromId: number): Promise<unknown>;
}

export interface Server extends RunningBroker {
  readonly broker: LocalBroker;
  readonly metrics: Metrics;
}

/** How long a stop waits for others to take over. */
const drainMsMax = 10_000;

/**
 * Rejects with `StorageError` (locked, read-only, …), `BrokerError` (the folder is another's or newer), or the
 * network's own error (a port in use); nothing is left open then.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { platform, config } = options;
  const storage = options.storage ?? platform.openStorage(config.dataDir);
  storage.lock();
  const server = new RunningServer(options, storage);
  try {
    await server.start();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

class RunningServer implements Server {
  readonly metrics: Metrics;
  #noteFailure: (error: Error) => void = () => {};
  readonly failed = new Promise<Error>((resolve) => {
    this.#noteFailure = resolve;
  });
  brokerId = -1;
  clusterId = "";
  readonly #options: ServerOptions;
  readonly #storage: Storage;
  #controlPlane: ControlPlane | undefined;
  /** Code that only a broker of a cluster needs. */
  #cluster: typeof import("./server-peers.ts") | undefined;
  #peers: PeerConnections | undefined;
  #folder: LogFolder | undefined;
  #broker: LocalBroker | undefined;
  #routed: RoutedBroker | undefined;
  #door: LateKafkaDoor | undefined;
  #kafkaListener: OpenListeners | undefined;
  #httpListener: Listener | undefined;
  #stopProbe: () => void = () => {};
  readonly #closing = new AbortController();
  #directory = "";
  #membership: OwnMembership | undefined;
  #state: "starting" | "ready" | "draining" = "starting";
  #closed: Promise<boolean> | undefined;

  constructor(options: ServerOptions, storage: Storage) {
    this.#options = options;
    this.#storage = storage;
    this.metrics = new Metrics(options.platform.clock);
  }

  get kafka(): HostPort {
    return this.#kafkaListener!;
  }

  get http(): HostPort | undefined {
    return this.#httpListener;
  }

  get broker(): LocalBroker {
    return this.#broker!;
  }

  readiness(): readonly string[] {
    const reasons: string[] = [];
    if (this.#state === "starting") reasons.push("starting: logs are being opened");
    if (this.#state === "draining") reasons.push("draining: the broker is shutting down");
    if (this.#folder?.fault) reasons.push(this.#folder.fault.message);
    if (this.#membership?.isWaiting) reasons.push("waiting: the cluster's metadata was lost");
    return reasons;
  }

  async start(): Promise<void> {
    const { platform, config, logger } = this.#options;
    const identity = readIdentity(this.#storage);
    this.brokerId = chooseBrokerId(config, identity.brokerId);
    this.#controlPlane = await this.#openControlPlane(identity.clusterId);
    this.clusterId = this.#controlPlane.state().clusterId;
    this.#directory = writeIdentity(this.#storage, {
      clusterId: this.clusterId,
      brokerId: this.brokerId,
      newDirectoryId: () => uuidText(platform.random.bytes(16), 0),
    });
    const folder = this.#openFolder();
    const broker = this.#openBroker(folder, this.#controlPlane);
    // The port is taken before logs are opened, so that a taken one is known at once; those who connect
    // meanwhile wait for the door.
    const waiting: [Connection, string][] = [];
    let accept = (...accepted: [Connection, string]): void => void waiting.push(accepted);
    this.#kafkaListener = await openKafkaListeners(platform, config, (...accepted) =>
      accept(...accepted),
    );
    const found = folder.found();
    const isAlone = this.#peers === undefined;
    if (isAlone) await this.#controlPlane.register(this.#registration(found));
    await broker.open({ adopt: isAlone && identity.isForeign, found });
    const loading = loadTransactions(broker, platform.clock, logger);
    this.#door = this.#createDoor(broker);
    const door = this.#door;
    if (!this.#options.hasLateKafka) await door.open();
    this.#applyConfig(broker, door);
    accept = (connection, listener) => door.accept(connection, listener);
    for (const accepted of waiting) door.accept(...accepted);
    if (!isAlone) {
      // Only now: whoever is registered may be given partitions to lead.
      const controlPlane = this.#controlPlane;
      const request = this.#registration(found);
      const failed = this.#noteFailure;
      this.#membership = new this.#cluster!.OwnMembership({
        controlPlane,
        broker,
        request,
        logger,
        failed,
      });
      await this.#membership.begin();
    }
    this.#controlPlane.watch((change) => {
      if (change.kind === "broker-configs-changed") this.#applyConfig(broker, door);
    });
    await this.#openHttp(broker);
    folder.startHousekeeping();
    await loading;
    this.#stopProbe = this.metrics.probeLoop();
    this.#state = "ready";
    logger.info("server-ready", `broker ${this.brokerId} is ready`, {
      broker: this.brokerId,
      cluster: this.clusterId,
      kafka: formatHostPort(this.kafka),
      listeners: listenersText(this.#kafkaListener),
      http: this.http && formatHostPort(this.http),
      partitions: folder.partitions.size,
      recovered: folder.partitions.size > 0 && !folder.wasClean,
    });
  }

  keepHouse(): void {
    this.#folder?.applyRetention();
    this.#folder?.checkpoint();
  }

  close(): Promise<boolean> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<boolean> {
    const wasReady = this.#state === "ready";
    this.#state = "draining";
    this.#stopProbe();
    this.#closing.abort();
    const mayHandOver = this.#peers && this.#controlPlane?.status().isConnected;
    if (wasReady && mayHandOver) await this.#drain();
    await this.#httpListener?.close();
    this.#routed?.close();
    await this.#door?.close();
    await this.#kafkaListener?.close();
    this.#broker?.close();
    // A start that failed half-way opened nothing that a clean stop could vouch for.
    // One that was never registered adds nothing to what the stop before it has proved.
    const epoch = () =>
      this.#membership?.isWaiting ? (this.#folder?.cleanEpoch ?? -1) : this.broker.self().epoch;
    const isClean = wasReady && (await this.#folder!.close(epoch()));
    await this.#controlPlane?.close();
    this.#peers?.close();
    this.#storage.close();
    return isClean;
  }

  /** Others take over before this broker stops; where nobody can, it stops all the same. */
  async #drain(): Promise<void> {
    const { clock } = this.#options.platform;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = clock.after(drainMsMax, resolve, { keepAlive: true });
    });
    const drained = this.#controlPlane!.drain().catch((error: unknown) => {
      this.#options.logger.warn("not-drained", "stopping without handing over", {
        error: asError(error),
      });
    });
    await Promise.race([drained, late]);
    timer?.cancel();
  }

  #openFolder(): LogFolder {
    const { platform, config } = this.#options;
    const current = () => this.#broker?.config ?? config;
    this.#folder = new LogFolder({
      storage: this.#storage,
      core: platform.core,
      codecs: platform.codecs,
      clock: platform.clock,
      random: platform.random,
      metrics: this.metrics,
      retentionCheckIntervalMs: () => current().number("log.retention.check.interval.ms"),
      producerIdExpirationMs: () => current().number("producer.id.expiration.ms"),
      cleaner: () => cleanerSettings(current()),
      report: (event) => this.#noteFolder(event),
    });
    return this.#folder;
  }

  #noteFolder(event: LogFolderEvent): void {
    reportFolder(this.#options.logger, event);
    if (event.kind === "failed") this.#noteFailure(this.#folder?.fault ?? event.error);
    // Others have copies: they lead from now on, and clients are told by them.
    if (event.kind === "failed" && this.#peers && this.#state === "ready") void this.close();
  }

  #openBroker(folder: LogFolder, controlPlane: ControlPlane): LocalBroker {
    const { platform, config, logger } = this.#options;
    const { brokerId, metrics } = this;
    const background = {
      report: (error: unknown, where: string) => reportBackground(logger, error, where),
      reportGroups: (event: GroupEvent) => reportGroups(logger, event),
    };
    const cluster = this.#cluster;
    const links = cluster && {
      openLink: cluster.kafkaLinks(platform, brokerId),
      askBroker: cluster.brokerAsker(controlPlane, this.#peers!),
    };
    const own = { platform, controlPlane, folder, brokerId, config, metrics };
    this.#broker = new LocalBroker({ ...own, ...links, ...background });
    return this.#broker;
  }

  #createDoor(broker: LocalBroker): LateKafkaDoor {
    const { platform, config, logger } = this.#options;
    const peers = this.#peers;
    return new LateKafkaDoor({
      platform,
      config,
      broker,
      metrics: this.metrics,
      logger,
      listeners: this.#kafkaListener!.others,
      controlPlane: this.#controlPlane!,
      ...(peers && { answerPeer: (question, connection) => peers.answer(question, connection) }),
    });
  }

  /** Partitions follow the configuration by themselves; this is what the server itself has made from it. */
  #applyConfig(broker: LocalBroker, door: LateKafkaDoor): void {
    door.configure(connectionLimits(broker.config));
    const level = broker.config.text("timberline.log.level");
    if (level !== undefined) this.#options.setLogLevel?.(level as LogLevel);
  }

  async #openControlPlane(clusterId: string | undefined): Promise<ControlPlane> {
    const { platform, joinCluster } = this.#options;
    const { brokerId } = this;
    const storage = this.#storage;
    if (joinCluster === undefined) {
      return platform.openControlPlane(storage, clusterId === undefined ? {} : { clusterId });
    }
    const known = () => this.#controlPlane?.state().clusterId ?? clusterId ?? "";
    this.#cluster = await peersCode();
    const peers = new this.#cluster.PeerConnections({ platform, brokerId, clusterId: known });
    this.#peers = peers;
    const membership = await joinCluster({ storage, brokerId, clusterId, peers });
    peers.answerWith((question, fromId) => {
      const answer = this.#broker?.answerPeer(question);
      return answer ?? membership.answer(question, fromId);
    });
    return membership.controlPlane;
  }

  #registration(found: readonly FoundPartition[]): Registration {
    const { brokerId: id, kafka } = this;
    const cleanEpoch = this.#folder?.cleanEpoch;
    const own = { id, directory: this.#directory, cleanEpoch, listener: kafka, found };
    return registrationOf(this.#options.config, own);
  }

  async #openHttp(broker: LocalBroker): Promise<void> {
    const { platform, config, logger } = this.#options;
    const listener = config.httpListener;
    if (listener === undefined) return;
    // Loaded while the first connections may already be served: Hono is half of the time of a start.
    const { createHttpApp } = await import("./http/app.ts");
    const { defaultHttpLimits } = await import("./http/limits.ts");
    const log = logger.child("http");
    if (this.#cluster) this.#routed = new this.#cluster.RoutedBroker(platform, broker);
    const app = createHttpApp({
      platform,
      broker: this.#routed ?? broker,
      config: {
        corsOrigins: config.list("timberline.http.cors.origins"),
        limits: httpLimits(config, defaultHttpLimits),
        version,
      },
      readiness: () => this.readiness(),
      metrics: new Scraper(
        this.metrics,
        metricSources({ platform, broker, storage: this.#storage, folder: this.#folder! }),
        { topicsMax: config.number("timberline.metrics.topics.max") },
      ),
      docs: () => platform.manual(),
      kafka: serverTunnel(platform, this.#controlPlane!, broker.self().id, this.#door!),
      report: (error, context) => log.error("request-failed", context, { error: asError(error) }),
      counters: this.metrics.load,
      observe: (answered) => this.metrics.httpRequest(answered),
      closing: this.#closing.signal,
    });
    this.#httpListener = await platform.http.listen(listener, app.fetch);
  }
}
