// What the server makes of its configuration: its number, the address it tells, limits of the door and the cleaner.
// Pure; used by `server.ts` only.

import type { ControlPlane } from "../cluster/control-plane.ts";
import { type BrokerConfig, type HostPort, isEveryAddress } from "./config.ts";
import { BrokerError } from "./errors.ts";
import type { HttpLimits } from "./http/limits.ts";
import type { DoorLimits } from "./kafka/limits.ts";
import type { CleanerSettings } from "./log/cleaner.ts";

/** The folder's own number, unless the configuration names one; then they must agree. */
export function chooseBrokerId(config: BrokerConfig, ofFolder: number | undefined): number {
  const isChosen = config.effective("node.id")?.layer !== "default";
  if (ofFolder === undefined || ofFolder === config.nodeId) return config.nodeId;
  if (!isChosen) return ofFolder;
  throw new BrokerError(
    "INVALID_CONFIG",
    `the data folder ${config.dataDir} belongs to broker ${ofFolder}, not to ${config.nodeId}: ` +
      `set node.id=${ofFolder} or choose another --data-dir`,
  );
}

function advertisedAddress(config: BrokerConfig, listener: HostPort): HostPort {
  const { advertised } = config;
  if (advertised) return { host: advertised.host, port: advertised.port || listener.port };
  if (!isEveryAddress(listener.host)) return listener;
  throw new BrokerError(
    "INVALID_CONFIG",
    `clients cannot connect to ${listener.host}: say where they reach this broker with --advertise HOST:PORT`,
  );
}

export type Registration = Parameters<ControlPlane["register"]>[0];

/** What this process says of itself when it registers. */
export function registrationOf(
  config: BrokerConfig,
  own: {
    readonly id: number;
    readonly directory: string;
    readonly cleanEpoch: number | undefined;
    readonly listener: HostPort;
    readonly found: readonly { readonly leaderEpoch: number }[];
  },
): Registration {
  const { id, directory, cleanEpoch, listener, found } = own;
  const { host, port } = advertisedAddress(config, listener);
  const rack = config.text("broker.rack") ?? null;
  const epochMin = found.reduce((max, { leaderEpoch }) => Math.max(max, leaderEpoch), -1) + 1;
  const clean = cleanEpoch === undefined ? {} : { cleanEpoch };
  return { id, host, port, rack, directory, epochMin, ...clean };
}

export function connectionLimits(config: BrokerConfig): Partial<DoorLimits> {
  return {
    connectionsMax: config.number("max.connections"),
    connectionsPerAddressMax: config.number("max.connections.per.ip"),
  };
}

export function httpLimits(config: BrokerConfig, defaults: HttpLimits): HttpLimits {
  return {
    ...defaults,
    bodyBytesMax: config.number("timberline.http.body.max.bytes"),
    decompressedBytesMax: config.number("timberline.decompressed.bytes.max"),
    longPollMs: config.number("timberline.http.long.poll.ms"),
    sseKeepaliveMs: config.number("timberline.http.sse.heartbeat.ms"),
    streamsMax: config.number("timberline.http.sse.streams.max"),
  };
}

export function cleanerSettings(config: BrokerConfig): CleanerSettings {
  return {
    isEnabled: config.flag("log.cleaner.enable"),
    backoffMs: config.number("log.cleaner.backoff.ms"),
    mapBytesMax: config.number("log.cleaner.dedupe.buffer.size"),
    bytesPerSecondMax: config.number("log.cleaner.io.max.bytes.per.second"),
  };
}
