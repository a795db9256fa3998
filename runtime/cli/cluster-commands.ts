// The commands of `timberline cluster`, a part of the table in `commands.ts`.

import type { CommandSpec } from "./commands.ts";

const TOPIC_OPTION = ["--topic <name...>", "only these topics (all)"] as const;
const DRY_RUN_OPTION = ["--dry-run", "show the plan only"] as const;
const PARTITIONS_OPTION = [
  "-p, --partitions <list>",
  "only these partitions of one --topic: 0,2,5-7 (all)",
] as const;
const THROTTLE_OPTION = [
  "--throttle <bytes>",
  "per second and broker, 50MiB for example; off: none (32MiB)",
] as const;

export const CLUSTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: "cluster status",
    summary: "brokers, controller, and partitions that need care",
    options: [["--check", "exit 10 if something is wrong: for scripts, between restarts"]],
    examples: ["timberline cluster status --check && echo healthy"],
    load: async () => (await import("./cluster-view.ts")).clusterStatus,
  },
  {
    name: "cluster brokers",
    summary: "brokers, what they hold and what they lead",
    examples: ["timberline cluster brokers -o wide"],
    load: async () => (await import("./cluster-view.ts")).clusterBrokers,
  },
  {
    name: "cluster map",
    summary: "which broker holds which partition, as a matrix",
    options: [TOPIC_OPTION],
    examples: ["timberline cluster map --topic flights"],
    load: async () => (await import("./cluster-view.ts")).clusterMap,
  },
  {
    name: "cluster elect",
    summary: "make preferred replicas lead; with --unclean any live one where none can",
    options: [
      TOPIC_OPTION,
      PARTITIONS_OPTION,
      ["--unclean", "where no replica in sync is left: acknowledged records may be lost"],
    ],
    examples: [
      "timberline cluster elect",
      "timberline cluster elect --topic flights -p 3 --unclean",
    ],
    load: async () => (await import("./cluster-elect.ts")).clusterElect,
  },
  {
    name: "cluster rebalance",
    summary: "preferred leaders everywhere; with --replicas as many replicas on each broker",
    options: [
      ["--replicas", "move replicas and preferences, too, until brokers are even"],
      TOPIC_OPTION,
      THROTTLE_OPTION,
      DRY_RUN_OPTION,
    ],
    examples: ["timberline cluster rebalance", "timberline cluster rebalance --replicas --dry-run"],
    load: async () => (await import("./cluster-grow.ts")).clusterRebalance,
  },
  {
    name: "cluster reassign",
    summary: "move partitions to other brokers; `list` shows what is moving",
    args: "[list]",
    options: [
      ["--to <brokers>", "onto these brokers, evenly: 1,2,4-6"],
      TOPIC_OPTION,
      PARTITIONS_OPTION,
      ["--plan <file>", "a plan in the JSON of kafka-reassign-partitions"],
      ["--throttle <bytes>", "per second and broker, 50MiB for example (none)"],
      ["--watch", "wait until all has moved, with progress; then the throttle ends"],
      ["--cancel", "end what is moving where it is, and go back"],
      DRY_RUN_OPTION,
    ],
    examples: [
      "timberline cluster reassign --topic flights --to 1,2,3 --throttle 50MiB --watch",
      "timberline cluster reassign --plan moves.json --yes",
      "timberline cluster reassign list",
    ],
    load: async () => (await import("./cluster-reassign.ts")).clusterReassign,
  },
  {
    name: "cluster add",
    summary: "give a broker that has joined its share of partitions and leaders",
    args: "<broker>",
    options: [THROTTLE_OPTION, DRY_RUN_OPTION],
    examples: ["timberline cluster add 4 --throttle 50MiB"],
    load: async () => (await import("./cluster-grow.ts")).clusterAdd,
  },
  {
    name: "cluster decommission",
    summary: "move all partitions off a broker, and forget it when it is stopped",
    args: "<broker>",
    options: [
      THROTTLE_OPTION,
      ["--wait <duration>", "wait so long for it to be stopped when it is empty (0)"],
      DRY_RUN_OPTION,
    ],
    examples: ["timberline cluster decommission 4 --wait 5m"],
    load: async () => (await import("./cluster-grow.ts")).clusterDecommission,
  },
  {
    name: "cluster throttle",
    summary: "limit the copying of replicas that are not in sync; without options show limits",
    options: [
      ["--rate <bytes>", "per second and broker: 50MiB"],
      ["--off", "no limit any more, anywhere"],
      TOPIC_OPTION,
    ],
    examples: ["timberline cluster throttle --rate 50MiB", "timberline cluster throttle --off"],
    load: async () => (await import("./cluster-throttle.ts")).clusterThrottle,
  },
  {
    name: "cluster snapshot",
    summary: "keep the newest copy of the cluster's metadata in a file",
    options: [["--out <file>", "where to; a file that is there is replaced"]],
    examples: ["timberline cluster snapshot --out metadata.json"],
    load: async () => (await import("./cluster-snapshot.ts")).clusterSnapshot,
  },
  {
    name: "cluster restore",
    summary: "bring the metadata back when the metadata service lost it",
    options: [
      ["--newest", "the newest copy that a broker has (the default)"],
      ["--broker <id>", "the copy of this broker"],
      ["--from <file>", "what `cluster snapshot` kept"],
      ["--incomplete", "also while brokers do not answer: one of them may have a newer copy"],
      DRY_RUN_OPTION,
    ],
    examples: [
      "timberline cluster restore --dry-run",
      "timberline cluster restore --yes",
      "timberline cluster restore --from metadata.json",
    ],
    load: async () => (await import("./cluster-restore.ts")).clusterRestore,
  },
];
