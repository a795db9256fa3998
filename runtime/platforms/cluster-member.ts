// How a broker becomes one of several: through a metadata log over NATS, or one that its parent process keeps. Loaded
// only by brokers that are not alone.

import type { MemberSettings } from "../../cluster/member-parts.ts";
import type { Platform } from "../platform.ts";
import { memberJoiner, openServedLog } from "./served-metadata.ts";

/** Where the metadata of a cluster is. */
export type MetadataPlace =
  | {
      readonly kind: "nats";
      readonly servers: readonly string[];
      /** Contents of a credentials file. */
      readonly credentials?: string;
      readonly replicas?: number;
      readonly cluster: string;
      /** Told what a start waits for. */
      readonly report: (message: string) => void;
    }
  | { readonly kind: "parent"; readonly host: string; readonly port: number };

/** What `createServer` is given as `joinCluster`. */
export function clusterJoiner(
  platform: Platform,
  place: MetadataPlace,
  settings: Partial<MemberSettings>,
  alarmed: (alarm: string | null) => void,
): ReturnType<typeof memberJoiner> {
  const openLog = async () => {
    if (place.kind === "parent") return openServedLog(platform, place);
    const { openNatsLog } = await import("../../cluster/nats-log.ts");
    return openNatsLog({ ...place, clock: platform.clock }, place.cluster);
  };
  return memberJoiner(platform, openLog, settings, alarmed);
}
