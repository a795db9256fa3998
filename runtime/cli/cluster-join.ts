// Whether and how `serve` takes part in a cluster: from the configuration, or from the process that started it.

import { readFileSync } from "node:fs";
import process from "node:process";
import { type BrokerConfig, parseHostPort } from "../config.ts";
import type { JoinCluster } from "../server.ts";
import type { Logger } from "../telemetry/logger.ts";
import { CliError, ExitCode } from "./exit.ts";
import { thePlatform } from "./platform.ts";

/** Set by the parent of several brokers: its process id, and where it serves their metadata. */
export const childVariable = "_TIMBERLINE_PARENT";
export const metadataVariable = "_TIMBERLINE_METADATA";

/** Undefined: this broker is alone. Nothing of a cluster is loaded then. */
export async function joinOf(
  config: BrokerConfig,
  logger: Logger,
): Promise<JoinCluster | undefined> {
  const parent = process.env[metadataVariable];
  const servers = config.list("timberline.nats.servers");
  if (parent === undefined && servers.length === 0) return undefined;
  const { clusterJoiner } = await import("../platforms/cluster-member.ts");
  const settings = {
    heartbeatMs: config.number("broker.heartbeat.interval.ms"),
    sessionMs: config.number("broker.session.timeout.ms"),
  };
  const cluster = logger.child("cluster");
  const alarmed = (alarm: string | null) => {
    if (alarm === null) cluster.info("metadata-back", "changes of the cluster are taken again");
    else cluster.error("metadata-alarm", `the cluster takes no changes: ${alarm}`);
  };
  if (parent !== undefined) {
    const place = { kind: "parent", ...parseHostPort(parent)! } as const;
    return clusterJoiner(thePlatform(), place, settings, alarmed);
  }
  const replicas = config.number("timberline.nats.replicas");
  const log = logger.child("nats");
  const place = {
    kind: "nats",
    servers,
    cluster: config.text("timberline.cluster.name") ?? "main",
    report: (message: string) => log.warn("nats-waiting", message),
    ...credentialsOf(config),
    ...(replicas === 0 ? {} : { replicas }),
  } as const;
  return clusterJoiner(thePlatform(), place, settings, alarmed);
}

function credentialsOf(config: BrokerConfig): { credentials?: string } {
  const path = config.text("timberline.nats.credentials");
  if (path === undefined) return {};
  try {
    return { credentials: readFileSync(path, "utf8") };
  } catch (cause) {
    const message = `${path}: the NATS credentials cannot be read`;
    throw new CliError(message, { exitCode: ExitCode.usage, cause });
  }
}
