// `cluster status brokers map`: how a cluster stands. Reads only.

import type { TopicInfo } from "../client/mod.ts";
import {
  type ClusterFacts,
  clusterFacts,
  clusterHealth,
  liveBrokers,
  placeOf,
  sizesOn,
} from "./cluster-facts.ts";
import type { Call } from "./commands.ts";
import { withAdmin } from "./connection.ts";
import { ExitCode } from "./exit.ts";
import {
  type CellValue,
  type Column,
  formatBytes,
  printFields,
  printRows,
  type Row,
} from "./output.ts";
import type { Paint } from "./shell.ts";

/** Partitions that are named one by one for people. */
const NAMED_MAX = 5;

export async function clusterStatus({ shell, flags }: Call): Promise<ExitCode> {
  const { facts, progress, minInSync, alarms } = await withAdmin(shell, async (admin) => {
    const found = await clusterFacts(admin);
    const [quorum, configs] = await Promise.all([
      admin.care.metadataProgress(),
      admin.care.topicConfigs(
        found.topics.map(({ name }) => name),
        "min.insync.replicas",
      ),
    ]);
    // Last: Kafka's brokers hang up on a question that they do not know.
    const copies = await admin.copies.list();
    const told = new Set(copies.flatMap(({ copy }) => copy?.alarm ?? []));
    return { facts: found, progress: quorum, minInSync: configs, alarms: [...told] };
  });
  const health = clusterHealth(facts, minInSync);
  const fenced = facts.brokers.filter(({ isFenced }) => isFenced).map(({ id }) => id);
  const { paint } = shell;
  const bad = partitionsField(paint.red);
  const noted = partitionsField(paint.yellow);
  await printFields(shell, [
    { key: "clusterId", title: "cluster", value: facts.clusterId },
    {
      ...{ key: "controller", value: progress.controllerId },
      show: (id) => (id === -1 ? paint.red("none") : `broker ${id}`),
    },
    { key: "metadataVersion", title: "metadata version", value: progress.version },
    {
      ...{ key: "alarms", title: "metadata service", value: alarms },
      show: () => (alarms.length === 0 ? "no alarm" : paint.red(alarms.join("; "))),
    },
    { key: "brokersUp", title: "brokers up", value: liveBrokers(facts).map(({ id }) => id) },
    {
      ...{ key: "brokersFenced", title: "brokers fenced", value: fenced },
      show: (ids) => (fenced.length === 0 ? "none" : paint.red(String(ids))),
    },
    { key: "topics", value: facts.topics.length },
    { key: "partitions", value: countPartitions(facts.topics) },
    bad("offline", "offline", health.offline),
    bad("belowMinInSync", "below min in sync", health.belowMinInSync),
    bad("underReplicated", "under-replicated", health.underReplicated),
    noted("notPreferred", "not led by preference", health.notPreferred),
    noted("reassigning", "moving", facts.reassignments.map(placeOf)),
  ]);
  const wrong = [health.offline, health.belowMinInSync, health.underReplicated, fenced, alarms];
  const isHealthy = progress.controllerId >= 0 && wrong.every((each) => each.length === 0);
  if (isHealthy || !flags.isSet("check")) return ExitCode.done;
  shell.warn("the cluster is not healthy");
  return ExitCode.checkFalse;
}

export async function clusterBrokers({ shell }: Call): Promise<undefined> {
  const rows = await withAdmin(shell, async (admin) => {
    const facts = await clusterFacts(admin);
    const ids = liveBrokers(facts).map(({ id }) => id);
    const [sizes, progress] = await Promise.all([
      sizesOn(admin, ids),
      admin.care.metadataProgress(),
    ]);
    const partitions = facts.topics.flatMap((topic) => topic.partitions);
    return facts.brokers.map(({ id, host, port, rack, isFenced }): Row => {
      const ofBroker = sizes.get(id);
      return {
        ...{ id, host, port, rack, state: isFenced ? "fenced" : "up" },
        controller: id === progress.controllerId,
        partitions: partitions.filter(({ replicas }) => replicas.includes(id)).length,
        leaders: partitions.filter(({ leader }) => leader === id).length,
        bytes: ofBroker ? [...ofBroker.values()].reduce((sum, size) => sum + size, 0) : null,
      };
    });
  });
  const { paint } = shell;
  const columns: Column[] = [
    ...["id", "host", "port", "rack"].map((key) => ({ key })),
    {
      ...{ key: "state", align: "left" },
      show: (state) => (state === "up" ? paint.green("up") : paint.red(String(state))),
    },
    { key: "controller", show: (is) => (is === true ? "yes" : "") },
    { key: "partitions" },
    { key: "leaders" },
    {
      ...{ key: "bytes", title: "size", align: "right" },
      show: (bytes) => (typeof bytes === "number" ? formatBytes(bytes) : "-"),
    },
  ];
  await printRows(shell, columns, rows);
}

export async function clusterMap({ shell, flags }: Call): Promise<undefined> {
  const facts = await withAdmin(shell, (admin) => clusterFacts(admin, flags.list("topic")));
  if (shell.output !== "table" && shell.output !== "wide") {
    const keys = ["topic", "partition", "leader", "replicas", "isr", "adding", "removing"];
    await printRows(
      shell,
      keys.map((key) => ({ key })),
      mapRows(facts),
    );
    return;
  }
  const columns: Column[] = [
    { key: "place", title: "partition", align: "left" },
    ...facts.brokers.map(({ id, isFenced }) => ({
      ...{ key: String(id), title: isFenced ? `${id}!` : String(id), align: "left" as const },
      show: (_: CellValue, row: Row) => mark(row, id, shell.paint),
    })),
  ];
  const rows = mapRows(facts).map((row) => ({
    ...row,
    place: placeOf({ topic: String(row.topic), partition: Number(row.partition) }),
  }));
  await printRows(shell, columns, rows);
  shell.note("L leads  o in sync  x not in sync  + is added  - is removed  ! fenced");
}

function mapRows({ topics, reassignments }: ClusterFacts): Row[] {
  const moving = new Map(reassignments.map((move) => [placeOf(move), move]));
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partition, leader, replicas, isr }) => {
      const move = moving.get(placeOf({ topic, partition }));
      const { adding = [], removing = [] } = move ?? {};
      return { topic, partition, leader, replicas, isr, adding, removing };
    }),
  );
}

function mark(row: Row, id: number, paint: Paint): string {
  const has = (key: string) => {
    const ids = row[key];
    return Array.isArray(ids) && ids.includes(id);
  };
  if (!has("replicas")) return paint.dim(".");
  const change = has("adding") ? "+" : has("removing") ? "-" : "";
  if (row.leader === id) return paint.bold(paint.green(`L${change}`));
  if (has("isr")) return `o${change}`;
  return change === "" ? paint.red("x") : paint.yellow(`x${change}`);
}

function countPartitions(topics: readonly TopicInfo[]): number {
  return topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
}

/** A count and the first names for people, all names for machines. */
function partitionsField(paint: (text: string) => string) {
  return (key: string, title: string, places: readonly string[]) => ({
    ...{ key, title, value: places },
    show: () => {
      if (places.length === 0) return "0";
      const named = places.slice(0, NAMED_MAX).join(" ");
      return paint(`${places.length}  ${named}${places.length > NAMED_MAX ? " …" : ""}`);
    },
  });
}
