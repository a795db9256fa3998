// The samples of a scrape about the cluster: how partitions stand, who leads and decides, how far copies are behind.

import type { ExpositionWriter } from "./exposition.ts";
import type { LeadershipCounts } from "./leadership-counts.ts";
import type { MetricSources } from "./metrics.ts";

export function writeCluster(
  to: ExpositionWriter,
  sources: Pick<MetricSources, "partitions" | "controlPlane" | "replicaLags">,
  counts: LeadershipCounts,
): void {
  const partitions = sources.partitions();
  to.sample("partitions", partitions.total);
  to.sample("leaders", partitions.leaders);
  to.sample("offline_partitions", partitions.offline);
  to.sample("under_replicated_partitions", partitions.underReplicated);
  to.sample("under_min_isr_partitions", partitions.underMinIsr);
  to.sample("at_min_isr_partitions", partitions.atMinIsr);
  to.sample("isr_changes_total", counts.isrShrinks, "shrink");
  to.sample("isr_changes_total", counts.isrExpansions, "expand");
  to.sample("elections_total", counts.electionsClean, "clean");
  to.sample("elections_total", counts.electionsUnclean, "unclean");
  to.sample("elections_total", counts.electionsPreferred, "preferred");
  for (const [follower, lag] of sources.replicaLags()) {
    to.sample("replica_lag_records", lag, String(follower));
  }
  const plane = sources.controlPlane();
  to.sample("controller_active", plane.isController ? 1 : 0);
  to.sample("controller_epoch", plane.controllerEpoch);
  to.sample("control_plane_up", plane.isConnected ? 1 : 0);
  to.sample("control_plane_alarm", plane.alarm === null ? 0 : 1);
  to.sample("control_plane_age_seconds", plane.ageMs / 1000);
}
