// Writes the metadata back: as a whole image above everything that anyone has seen, whatever the metadata service holds
// now. Every member follows it, also those that froze.

import type { ClusterImage } from "./cluster-image.ts";
import { appendEntry, snapshotPacks, unavailable } from "./controller.ts";
import { decideRestore } from "./decisions/restore.ts";
import { chainOf, encodeEntry } from "./entry-codec.ts";
import type { MemberOptions } from "./member-parts.ts";
import { AppendConflict, LogUnavailable, type Sequence } from "./metadata-log.ts";
import type { MetadataView } from "./metadata-view.ts";
import { decodeSnapshot, failed } from "./snapshot.ts";

/** Somebody may write at the same time. */
const ATTEMPTS_MAX = 10;
const VISIBLE_MS_MAX = 10_000;

/** Faults: storage-failed for a snapshot that is damaged or another cluster's, unavailable. */
export async function restoreMetadata(
  options: MemberOptions,
  view: MetadataView,
  snapshot: Uint8Array,
): Promise<void> {
  const { image } = decodeSnapshot(snapshot);
  const own = view.image.clusterId;
  if (own !== "" && image.clusterId !== own) {
    throw failed(`the snapshot is of cluster ${image.clusterId}, not of ${own}`);
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const now =
      view.image.clusterId === "" ? { ...view.image, clusterId: image.clusterId } : view.image;
    const { version } = view.highest;
    const base = Math.max(version, image.version);
    const controllerEpoch = Math.max(view.highest.controllerEpoch, image.controllerEpoch) + 1;
    const restored = { ...decideRestore(now, image), version: base, controllerEpoch };
    const written = await writeWhole(options, restored, view.sequence);
    if (written) {
      await view.until(() => view.image.version >= written.version, VISIBLE_MS_MAX);
      await options.log.trim(written.first);
      return;
    }
    const before = view.sequence;
    await view.until(() => view.sequence !== before, 1_000);
  }
  throw unavailable("others write to the metadata at the same time");
}

/** Undefined: somebody else wrote. */
async function writeWhole(
  { log, clock, random, brokerId }: MemberOptions,
  image: ClusterImage,
  sequence: Sequence,
): Promise<{ readonly first: Sequence; readonly version: number } | undefined> {
  const packs = snapshotPacks(image, log.entryBytesMax);
  const { clusterId, controllerEpoch } = image;
  let { version } = image;
  let expected = sequence;
  let chain = 0;
  let first: Sequence | undefined;
  try {
    for (const [index, changes] of packs.entries()) {
      version += 1;
      const part = { index, count: packs.length, isRestored: true };
      const numbers = { clusterId, controllerId: brokerId, controllerEpoch, version, chain };
      const bytes = encodeEntry({ ...numbers, changes, part });
      expected = await appendEntry(log, { expected, bytes }, { clock, random });
      chain = chainOf(bytes);
      first ??= expected;
    }
    return { first: first ?? 0, version };
  } catch (error) {
    if (error instanceof AppendConflict) return undefined;
    if (error instanceof LogUnavailable) throw unavailable("the metadata service does not answer");
    throw error;
  }
}
