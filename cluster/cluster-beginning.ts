// The start of a member: waits until it knows the metadata, and begins the cluster if there is none, with what a broker
// that was alone so far brings along. Who begins is decided by the metadata log, as everything.

import { type ClusterImage, emptyImage, type ImageChange } from "./cluster-image.ts";
import { ControlPlaneError } from "./control-plane.ts";
import { appendEntry, snapshotPacks, unavailable } from "./controller.ts";
import { chainOf, encodeEntry } from "./entry-codec.ts";
import type { MemberOptions, MemberSettings } from "./member-parts.ts";
import { AppendConflict, LogUnavailable } from "./metadata-log.ts";
import type { MetadataView } from "./metadata-view.ts";
import { randomId } from "./random-id.ts";

/** Others may begin at the same time. */
const ATTEMPTS_MAX = 10;

/** Faults: unavailable, broker-refused for the metadata of another cluster. */
export async function beginCluster(
  options: MemberOptions,
  settings: MemberSettings,
  view: MetadataView,
): Promise<void> {
  const { clock } = options;
  const endMs = clock.monotonicMs() + settings.openMsMax;
  const rest = () => Math.max(0, endMs - clock.monotonicMs());
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    await view.until(() => view.isFrozen || view.isCurrent, rest());
    if (view.image.version > 0 && (view.isFrozen || view.isCurrent)) return;
    if (view.isFrozen) throw new ControlPlaneError("broker-refused", view.alarm ?? "");
    if (!view.isCurrent) break;
    await writeFirst(options, firstImage(options, settings, view), view);
    await view.until(() => view.isFrozen || view.image.version > 0, rest());
  }
  throw unavailable(`the metadata service did not answer within ${settings.openMsMax} ms`);
}

function firstImage(
  { random, clusterId }: MemberOptions,
  { newClusterConfigs }: MemberSettings,
  view: MetadataView,
): { readonly image: ClusterImage; readonly configs: readonly ImageChange[] } {
  const image = view.adopted ?? emptyImage(clusterId ?? randomId(random));
  const known = image.brokerConfigs.get(null) ?? new Map<string, string>();
  const configs = new Map([...newClusterConfigs, ...known]);
  if (configs.size === 0) return { image, configs: [] };
  return { image, configs: [{ put: "broker-configs", broker: null, configs }] };
}

/** Written as a whole image: a beginning that was cut short does not count. */
async function writeFirst(
  { log, clock, random }: MemberOptions,
  { image, configs }: ReturnType<typeof firstImage>,
  view: MetadataView,
): Promise<void> {
  const packs = [...snapshotPacks(image, log.entryBytesMax), configs];
  let expected = view.sequence;
  let { version, chain } = { version: 0, chain: 0 };
  try {
    for (const [index, changes] of packs.entries()) {
      version += 1;
      const part = { index, count: packs.length, isRestored: false };
      const controller = { controllerId: -1, controllerEpoch: image.controllerEpoch };
      const { clusterId } = image;
      const bytes = encodeEntry({ clusterId, ...controller, version, chain, changes, part });
      expected = await appendEntry(log, { expected, bytes }, { clock, random });
      chain = chainOf(bytes);
    }
  } catch (error) {
    if (error instanceof LogUnavailable) throw unavailable("the metadata service does not answer");
    if (!(error instanceof AppendConflict)) throw error;
  }
}
