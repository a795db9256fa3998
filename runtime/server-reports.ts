// What the server writes to its own log about its parts. Used by `server.ts` only.

import { ControlPlaneError } from "../cluster/control-plane.ts";
import type { GroupEvent } from "./groups/coordinator.ts";
import type { LocalBroker } from "./local-broker.ts";
import type { LogFolderEvent } from "./log/log-folder.ts";
import type { Clock } from "./platform.ts";
import type { Logger } from "./telemetry/logger.ts";

export function reportGroups(logger: Logger, event: GroupEvent): void {
  const log = logger.child("groups");
  if (event.kind === "failed") {
    log.error("groups-failed", event.context, { error: asError(event.error) });
  } else if (event.kind === "loading") {
    const { done, partitions } = event;
    log.info("groups-loading", `groups: read ${done} of ${partitions} partitions`, event);
  } else {
    const { groups, offsets, tookMs } = event;
    const what = `${groups} groups with ${offsets} offsets`;
    log.info("groups-loaded", `read ${what} in ${Math.round(tookMs)} ms`, event);
  }
}

export function reportFolder(logger: Logger, event: LogFolderEvent): void {
  const log = logger.child("log");
  if (event.kind === "failed") {
    log.error(
      "log-dir-failed",
      "the log directory failed: its partitions are offline; mend the disk and restart",
      { error: event.error },
    );
  } else if (event.kind === "truncated") {
    log.warn(
      "log-truncated",
      `${event.folder}: cut ${event.bytes} bytes that were not whole batches`,
      {
        folder: event.folder,
        bytes: event.bytes,
      },
    );
  } else if (event.kind === "not-cleaned") {
    log.error("log-not-cleaned", `${event.folder} cannot be compacted: it is left as it is`, {
      error: asError(event.error),
    });
  } else {
    log.warn(
      "log-stray",
      `${event.folder} belongs to no topic; kept as ${event.renamedTo}, remove it if it is not needed`,
    );
  }
}

/** Says how far it is and what it found: a large log of transactions takes a while. */
export async function loadTransactions(
  broker: LocalBroker,
  clock: Clock,
  logger: Logger,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const { transactions } = await broker.loadTransactions(({ done, partitions }) => {
    const what = `transactions: read ${done} of ${partitions} partitions`;
    logger.info("transactions-loading", what, { done, partitions });
  });
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  if (transactions === 0) return;
  const what = `${transactions} transactional ids were read in ${durationMs} ms`;
  logger.info("transactions-loaded", what, { transactions, durationMs });
}

/** Work that nobody waits for went wrong. What goes on by itself once another is back is no fault of this broker. */
export function reportBackground(logger: Logger, error: unknown, where: string): void {
  const level = isPassing(error) ? "warn" : "error";
  logger.child("broker")[level]("background-failed", where, { error: asError(error) });
}

function isPassing(error: unknown): boolean {
  if (error instanceof ControlPlaneError) return error.fault === "unavailable";
  return error instanceof Error && "retriable" in error && error.retriable === true;
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
