// Turns the data folder of a broker that was alone into that of the first of several: its files go one folder down.
// Used by `serve-brokers.ts` only.

import { readIdentity } from "../log/folder-identity.ts";
import type { Storage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/logger.ts";
import { CliError, ExitCode } from "./exit.ts";

/** Where the parent keeps the metadata of its brokers. */
const metadataFolder = "metadata";
const identityFile = "meta.properties";
const underWayFile = ".moving";

/**
 * Returns the number of the broker whose folder it was; undefined if the folder is empty or has brokers already. The
 * identity moves last: until then a repeat goes on where a crash stopped.
 */
export function moveIntoBrokerFolder(
  folder: Storage,
  brokerIds: readonly number[],
  logger: Logger,
): number | undefined {
  const { brokerId } = readIdentity(folder);
  if (brokerId === undefined) return undefined;
  if (!brokerIds.includes(brokerId)) {
    throw new CliError(
      `the data folder ${folder.root} is that of broker ${brokerId}, not of one of ${brokerIds.join(", ")}`,
      { exitCode: ExitCode.usage, hints: [`--broker-id ${brokerId}`, "another --data-dir"] },
    );
  }
  // The folder to move into comes with its first file.
  folder.writeFile(`${brokerId}/${underWayFile}`, new Uint8Array());
  const stays = new Set([metadataFolder, identityFile, ".lock", ...brokerIds.map(String)]);
  const names = folder.list("").map(({ name }) => name);
  for (const name of names) {
    if (!stays.has(name)) folder.rename(name, `${brokerId}/${name}`);
  }
  folder.rename(identityFile, `${brokerId}/${identityFile}`);
  folder.remove(`${brokerId}/${underWayFile}`);
  logger.info(
    "folder-adopted",
    `the files of broker ${brokerId} moved to ${folder.root}/${brokerId}: it is one of several now`,
  );
  return brokerId;
}
