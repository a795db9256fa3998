// A whole image as bytes: the snapshot file of a data folder, and what `cluster snapshot` hands out. A header line
// names format and cluster, then one line per change; every line has its checksum. Persisted: never renumber.

import { decodeLine, encodeLine, openLine, sealLine } from "./change-codec.ts";
import { type ClusterImage, changesOf, imageOf } from "./cluster-image.ts";
import { ControlPlaneError } from "./control-plane.ts";

/**
 * A broker that is alone writes the first, a member of a cluster the second. 2 added configs of groups: folders of 1
 * are read, and are 2 from then on.
 */
export const FORMAT_ALONE = 2;
export const FORMAT_MEMBER = 3;

const SNAPSHOT_KIND = "timberline-cluster";

export interface Header {
  readonly kind: string;
  readonly format: number;
  readonly clusterId?: string;
  /** Snapshots: the last change in it, and how many lines follow. */
  readonly sequence?: number;
  readonly lines?: number;
  /** Snapshots of members: where in the metadata log they stand. */
  readonly version?: number;
  readonly controllerId?: number;
  readonly controllerEpoch?: number;
  /** Checksum of the newest entry, by which another course of the log is noticed. */
  readonly chain?: number;
}

export interface Snapshot {
  readonly header: Header;
  readonly image: ClusterImage;
}

export function encodeSnapshot(
  image: ClusterImage,
  header: Pick<Header, "format" | "sequence" | "chain">,
): Uint8Array {
  const sequence = header.sequence ?? 0;
  const lines = [...changesOf(image)].map((change) => encodeLine({ sequence, change }));
  const { clusterId, version, controllerId, controllerEpoch } = image;
  const position = header.format === FORMAT_ALONE ? {} : { version, controllerId, controllerEpoch };
  const counts = { sequence, lines: lines.length };
  return joined([
    headerLine({ kind: SNAPSHOT_KIND, clusterId, ...header, ...position, ...counts }),
    ...lines,
  ]);
}

/** Throws storage-failed for what is damaged or newer than `formatMax`. */
export function decodeSnapshot(bytes: Uint8Array, formatMax = FORMAT_MEMBER): Snapshot {
  const lines = bytes.at(-1) === 0x0a ? rawLines(bytes) : [];
  const header = readHeader(lines[0] ?? new Uint8Array(), { kind: SNAPSHOT_KIND, formatMax });
  if (header.lines !== lines.length - 1) throw damaged("snapshot");
  const changes = lines.slice(1).map((line) => readLine(line, "snapshot").change);
  const { version = 0, controllerId = -1, controllerEpoch = 0 } = header;
  const image = imageOf(header.clusterId ?? "", changes);
  return { header, image: { ...image, version, controllerId, controllerEpoch } };
}

/** The lines that end in a line feed, without it. */
export function rawLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

/**
 * Lines up to the last whole one. A damaged end is what a crash leaves of changes that nobody was told of; damage
 * before a good line is not, and is refused.
 */
export function wholeLines(bytes: Uint8Array): { lines: Uint8Array[]; validBytes: number } {
  const lines = rawLines(bytes);
  let validBytes = bytes.lastIndexOf(0x0a) + 1;
  while (lines.length > 0 && openLine(lines.at(-1)!) === undefined) {
    validBytes -= lines.pop()!.length + 1;
  }
  return { lines, validBytes };
}

export function readLine(line: Uint8Array, where: string) {
  const decoded = decodeLine(line);
  if (!decoded) throw damaged(where);
  return decoded;
}

export function headerLine(header: Header): Uint8Array {
  return sealLine(JSON.stringify(header));
}

export function readHeader(
  line: Uint8Array,
  { kind, formatMax }: { readonly kind: string; readonly formatMax: number },
): Header {
  const text = openLine(line);
  if (text === undefined) throw damaged(kind);
  const header = JSON.parse(text) as Header;
  if (header.kind !== kind) throw damaged(kind);
  if (header.format <= formatMax) return header;
  if (header.format === FORMAT_MEMBER) {
    throw failed(
      "this folder is a cluster member's: start the broker with --nats or --brokers, as it was before",
    );
  }
  throw failed(
    `the cluster metadata has format ${header.format}, this version reads up to ${FORMAT_MEMBER}: ` +
      "start the newer Timberline that wrote it",
  );
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

export function damaged(where: string): ControlPlaneError {
  return failed(`the cluster metadata is damaged (${where}): restore the folder from a backup`);
}

export function failed(message: string): ControlPlaneError {
  return new ControlPlaneError("storage-failed", message);
}
