// What a data folder is: that of one broker, or of several, each with a folder of its own in it. Turns the one into the
// other when `serve --brokers` is told to: the files of the broker that was alone go one folder down.

import { readIdentity } from "../log/folder-identity.ts";
import type { Storage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/logger.ts";
import { CliError, ExitCode } from "./exit.ts";

/** Where the parent keeps the metadata of its brokers. */
const metadataFolder = "metadata";
const identityFile = "meta.properties";
const underWayFile = ".moving";

/** The brokers that have their folders in this one; empty if it is that of a broker itself. */
export function brokersIn(folder: Storage): number[] {
  if (folder.readFile(identityFile) !== undefined) return [];
  return folder
    .list("")
    .filter(({ name }) => /^\d+$/.test(name))
    .filter(({ name }) => folder.readFile(`${name}/${identityFile}`) !== undefined)
    .map(({ name }) => Number(name))
    .sort((a, b) => a - b);
}

/** A broker that is alone would begin an empty log there, and nobody would see why the records are gone. */
export function refuseFolderOfSeveral(folder: Storage): void {
  const brokers = brokersIn(folder);
  if (brokers.length === 0) return;
  const names = brokers.join(", ");
  throw new CliError(`the data folder ${folder.root} has a folder for each of brokers ${names}`, {
    exitCode: ExitCode.usage,
    hints: [
      `--brokers ${brokers.length} starts them all`,
      `--data-dir ${folder.root}/${brokers[0]} --broker-id ${brokers[0]}, and the --nats of its cluster, starts one`,
    ],
  });
}

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
