// The one table of commands: names, arguments, options, help. `program.ts` builds the parser from it, help texts
// are derived from it, and each command's code is loaded only when it is called.

import { CLUSTER_COMMANDS } from "./cluster-commands.ts";
import type { ExitCode } from "./exit.ts";
import type { Flags } from "./flags.ts";
import type { Shell } from "./shell.ts";

export interface Call {
  readonly shell: Shell;
  readonly args: readonly string[];
  readonly flags: Flags;
}

/** Undefined means done. */
export type Run = (call: Call) => Promise<ExitCode | undefined>;

export interface CommandSpec {
  /** Words after `timberline`: "topic list". */
  readonly name: string;
  readonly summary: string;
  /** commander's syntax: `<topic>`, `[files...]`. */
  readonly args?: string;
  /** Flags (commander's syntax) and what they do. A name ending in `...` is repeatable. */
  readonly options?: readonly (readonly [flags: string, help: string])[];
  readonly examples?: readonly string[];
  readonly load: () => Promise<Run>;
}

export const GROUPS: Readonly<Record<string, string>> = {
  cluster: "how brokers stand, and moving what they hold",
  group: "look into consumer groups, move their offsets",
  topic: "list, create, alter and look into topics",
  transaction: "list, look into and end transactions",
  config: "what is configured, where it comes from, and whether it is right",
};

export const GLOBAL_OPTIONS: readonly (readonly [flags: string, help: string])[] = [
  [
    "-b, --bootstrap <host:port,...>",
    "brokers to ask first, or URLs of HTTP doors (TIMBERLINE_BOOTSTRAP; 127.0.0.1:9092)",
  ],
  ["-o, --output <format>", "table, wide, json, ndjson or csv (table)"],
  ["--json", "the same as -o json"],
  ["-q, --quiet", "no notes, only data and errors"],
  ["-v, --verbose", "more notes, stacks of errors"],
  ["--timeout <duration>", "give up after this long without an answer (10s)"],
  ["--yes", "do not ask"],
  ["--color <when>", "auto, always or never (auto; NO_COLOR)"],
];

const SET_OPTION = ["--set <name=value...>", "a configuration value, by Kafka's name"] as const;
const CONFIG_OPTION = [
  "--config <file>",
  "configuration file: TOML or Kafka's server.properties",
] as const;
const PARTITIONS_OPTION = [
  "-p, --partitions <list>",
  "only these partitions: 0,2,5-7 (all)",
] as const;

const SERVER_OPTIONS = [
  ["--data-dir <dir>", "where the log lies (./timberline-data)"],
  ["--host <host>", "address to listen on (127.0.0.1)"],
  ["--kafka-port <port>", "port of the Kafka door, 0 picks a free one (9092)"],
  ["--http-port <port>", "port of the HTTP door, 0 picks a free one (8080)"],
  ["--advertise <host:port>", "where clients find the Kafka door; required with --host 0.0.0.0"],
  ["--flush <mode>", "group, os or interval:MS: when a record counts as written (group)"],
  ["--broker-id <id>", "number of this broker (1)"],
  CONFIG_OPTION,
  SET_OPTION,
] as const;

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "serve",
    summary: "run a broker",
    options: [
      ...SERVER_OPTIONS,
      ["--log-format <format>", "text or json (text)"],
      [
        "--brokers <count>",
        "several brokers on this machine: a number, or cores for one a core (1)",
      ],
      ["--nats <urls>", "take part in a cluster whose metadata these NATS servers keep"],
      ["--nats-credentials <file>", "credentials for them (.creds)"],
      ["--nats-replicas <count>", "copies of the metadata in NATS (3 in a NATS cluster, else 1)"],
      ["--cluster <name>", "name of the cluster among those on the same NATS servers (main)"],
    ],
    examples: [
      "timberline serve --data-dir ./data --flush os",
      "timberline serve --kafka-port 0 --http-port 0",
      "timberline serve --brokers cores",
      "timberline serve --broker-id 1 --nats nats://127.0.0.1:4222",
    ],
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "gateway",
    summary: "the HTTP door before a cluster that runs elsewhere: Timberline or any Kafka",
    options: [
      ["--host <host>", "address to listen on (127.0.0.1)"],
      ["--http-port <port>", "port of the HTTP door, 0 picks a free one (8080)"],
      ["--cors-origin <origin...>", "web pages that may use it, * for all"],
      ["--set <name=value...>", "a limit of the HTTP door: timberline.http.long.poll.ms=5000"],
      ["--tls", "connect to the cluster by TLS"],
      ["--tls-ca <file>", "certificates to trust, PEM, instead of the system's; means --tls"],
      ["--sasl-mechanism <name>", "plain, scram-sha-256 or scram-sha-512"],
      ["--sasl-username <name>", "who the gateway is to the cluster"],
      ["--sasl-password-file <file>", "file with the password"],
      ["--log-format <format>", "text or json (text)"],
    ],
    examples: ["timberline gateway --bootstrap 127.0.0.1:9092 --http-port 8081"],
    load: async () => (await import("./gateway.ts")).gateway,
  },
  {
    name: "topic list",
    summary: "topics, their partitions and sizes",
    options: [
      ["--filter <regex>", "only names that match"],
      ["--sort <column>", "name, partitions, records or bytes (name)"],
      ["--internal", "internal topics too"],
    ],
    load: async () => (await import("./topic-view.ts")).topicList,
  },
  {
    name: "topic describe",
    summary: "partitions of topics: leader, replicas, offsets",
    args: "<topics...>",
    load: async () => (await import("./topic-view.ts")).topicDescribe,
  },
  {
    name: "topic create",
    summary: "create topics",
    args: "<topics...>",
    options: [
      ["-p, --partitions <count>", "partitions (the broker's num.partitions)"],
      ["-r, --replication-factor <count>", "replicas (the broker's default)"],
      ["-c, --config <name=value...>", "a topic configuration"],
      ["--if-not-exists", "a topic that is there already is fine"],
      ["--dry-run", "check only"],
    ],
    examples: ["timberline topic create flights -p 4 -c retention.ms=-1"],
    load: async () => (await import("./topic-change.ts")).topicCreate,
  },
  {
    name: "topic alter",
    summary: "change configurations of a topic",
    args: "<topic>",
    options: [
      ["-c, --config <name=value...>", "set"],
      ["--append <name=value...>", "add to a list"],
      ["--subtract <name=value...>", "take out of a list"],
      ["--delete <name...>", "back to the default"],
      ["--dry-run", "check only"],
    ],
    load: async () => (await import("./set-configs.ts")).topicAlter,
  },
  {
    name: "topic delete",
    summary: "delete topics with all their records",
    args: "<topics...>",
    options: [["--if-exists", "a topic that is not there is fine"]],
    load: async () => (await import("./topic-change.ts")).topicDelete,
  },
  {
    name: "topic add-partitions",
    summary: "grow a topic (keys move to other partitions)",
    args: "<topic> <total>",
    load: async () => (await import("./topic-change.ts")).topicAddPartitions,
  },
  {
    name: "topic purge",
    summary: "delete records before an offset, a time, or all",
    args: "<topic>",
    options: [["--before <offset>", "an offset, @TIME, or end (end)"], PARTITIONS_OPTION],
    examples: ["timberline topic purge flights --before @-7d"],
    load: async () => (await import("./topic-change.ts")).topicPurge,
  },
  {
    name: "topic offsets",
    summary: "first and last offset of each partition, or the offset at a time",
    args: "<topics...>",
    options: [["--at <time>", "the first record at or after: -15m, 2001-01-31T10:00"]],
    load: async () => (await import("./topic-view.ts")).topicOffsets,
  },
  {
    name: "topic config",
    summary: "configurations of a topic and where they come from",
    args: "<topic>",
    options: [["--all", "defaults too"]],
    load: async () => (await import("./set-configs.ts")).topicConfig,
  },
  {
    name: "produce",
    summary: "records from stdin or a file into a topic",
    args: "[topic] [file]",
    options: [
      ["-f, --format <format>", "how a record looks: %k %s %h %T %p %t, lengths %K %S %R"],
      ["-K, --key-delimiter <text>", "key before it, value after"],
      ["-D, --delimiter <text>", "between records (\\n)"],
      ["-H, --header <name=value...>", "a header of every record"],
      ["-p, --partition <number>", "one partition for all"],
      ["-k, --key <text>", "one key for all"],
      ["--key-path <path>", "key from the JSON value: .origin"],
      ["--timestamp-path <path>", "time from the JSON value: ms, s or ISO 8601"],
      ["-Z, --null", "empty keys and values are null"],
      ["-z, --codec <name>", "none, gzip, snappy, lz4 or zstd (none)"],
      ["--acks <acks>", "all, 1 or 0 (all)"],
      ["--batch-bytes <count>", "fill batches up to this (500000, or what the topic takes)"],
      ["--linger <duration>", "wait this long for more records (5ms)"],
      ["--rate <count>", "records per second at most"],
      ["--count <count>", "stop after this many; with --value: how often (1)"],
      ["--skip <count>", "pass over this many records of the input first"],
      ["--value <text>", "the value of every record, instead of input"],
      ["--from <file>", "an export: consume's -J lines"],
    ],
    examples: [
      "timberline produce flights flights.ndjson --key-path .origin --timestamp-path .date",
      "echo 'SFO:hello' | timberline produce flights -K :",
    ],
    load: async () => (await import("./produce.ts")).produce,
  },
  {
    name: "consume",
    summary: "records of a topic to stdout",
    args: "<topic>",
    options: [
      ["-o, --offset <range>", "begin, end, 1234, -100, @TIME, START:STOP, :end (end)"],
      ["-e, --exit", "stop at the ends seen at the start"],
      ["-c, --count <count>", "stop after this many"],
      ["-f, --format <format>", "%t %p %o %k %s %h %T %K %S %R %e %a %] (%s\\n)"],
      ["-J, --json", "one JSON object per record"],
      PARTITIONS_OPTION,
      ["--key <text>", "only records with this key"],
      ["--header <name=value...>", "only records with this header"],
      ["--isolation <level>", "read_committed or read_uncommitted (read_committed)"],
      ["-Z, --null", "write NULL for null keys and values"],
    ],
    examples: [
      "timberline consume flights -o begin -e -f '%k\\t%s\\n'",
      "timberline consume flights -o @-15m -J",
    ],
    load: async () => (await import("./consume.ts")).consume,
  },
  ...CLUSTER_COMMANDS,
  {
    name: "group list",
    summary: "consumer groups and their states",
    options: [["--state <name>", "only these: Empty, Stable, PreparingRebalance, …"]],
    load: async () => (await import("./group-view.ts")).groupList,
  },
  {
    name: "group describe",
    summary: "members of groups and what they read",
    args: "<groups...>",
    load: async () => (await import("./group-view.ts")).groupDescribe,
  },
  {
    name: "group lag",
    summary: "how far groups are behind, by partition",
    args: "<groups...>",
    options: [["--max <records>", "exit 10 if a group is further behind"]],
    load: async () => (await import("./group-view.ts")).groupLag,
  },
  {
    name: "group reset-offsets",
    summary: "move committed offsets; shows the plan, --execute does it",
    args: "<group>",
    options: [
      ["--to <position>", "earliest, latest, an offset, or @TIME"],
      ["--shift <count>", "forward, or back with a minus: --shift=-100"],
      ["--topic <name...>", "these topics (all the group has offsets of)"],
      PARTITIONS_OPTION,
      ["--execute", "do it"],
    ],
    examples: [
      "timberline group reset-offsets billing --to @-2h",
      "timberline group reset-offsets billing --topic flights --to earliest --execute",
    ],
    load: async () => (await import("./group-change.ts")).groupResetOffsets,
  },
  {
    name: "group alter",
    summary: "change configurations of a group, which need not exist yet",
    args: "<group>",
    options: [
      ["-c, --config <name=value...>", "set"],
      ["--delete <name...>", "back to the broker's"],
      ["--dry-run", "check only"],
    ],
    examples: ["timberline group alter billing -c consumer.session.timeout.ms=60s"],
    load: async () => (await import("./set-configs.ts")).groupAlter,
  },
  {
    name: "group config",
    summary: "configurations of a group and where they come from",
    args: "<group>",
    options: [["--all", "defaults too"]],
    load: async () => (await import("./set-configs.ts")).groupConfig,
  },
  {
    name: "group delete",
    summary: "forget groups without members, with their offsets",
    args: "<groups...>",
    load: async () => (await import("./group-change.ts")).groupDelete,
  },
  {
    name: "dump",
    summary: "look into files of a log without a server",
    args: "<paths...>",
    options: [
      ["--records", "records, not only batches"],
      ["--headers", "record headers too"],
      ["--hex <offset>", "the batch that holds this offset, every field explained"],
      ["--verify", "check CRCs, order, indexes; exit 10 if something is wrong"],
      ["--from <offset>", "begin at this offset"],
      ["--limit <count>", "stop after this many lines per file"],
    ],
    examples: [
      "timberline dump timberline-data/flights-0 --verify",
      "timberline dump flights-0/0*.log --hex 42",
    ],
    load: async () => (await import("./dump.ts")).dump,
  },
  {
    name: "transaction list",
    summary: "transactional ids, their producers and states",
    options: [["--state <name...>", "only in these states: Ongoing, CompleteCommit, …"]],
    load: async () => (await import("./transaction.ts")).transactionList,
  },
  {
    name: "transaction describe",
    summary: "transactional ids in full: epoch, timeout, partitions",
    args: "<ids...>",
    load: async () => (await import("./transaction.ts")).transactionDescribe,
  },
  {
    name: "transaction hanging",
    summary: "transactions that hold readers back and that no coordinator will end",
    options: [
      ["--topic <name...>", "only in these topics (all)"],
      ["--longer-than <duration>", "only those without a record for so long (15m)"],
    ],
    load: async () => (await import("./transaction.ts")).transactionHanging,
  },
  {
    name: "transaction abort",
    summary: "end what is open of an id, or a hanging transaction by its first offset",
    args: "[topic] [partition] [first-offset]",
    options: [["--id <id>", "what is open of this transactional id; its producer is shut out"]],
    examples: [
      "timberline transaction abort --id payments-1",
      "timberline transaction abort payments 0 4711",
    ],
    load: async () => (await import("./transaction.ts")).transactionAbort,
  },
  {
    name: "config explain",
    summary:
      "one key in full: meaning, layers, winner; without a key all that differ from the default",
    args: "[key]",
    options: SERVER_OPTIONS,
    examples: ["timberline config explain retention.ms"],
    load: async () => (await import("./config.ts")).configExplain,
  },
  {
    name: "config show",
    summary: "every key and its value",
    options: [...SERVER_OPTIONS, ["--diff", "only those that differ from the default"]],
    load: async () => (await import("./config.ts")).configShow,
  },
  {
    name: "config check",
    summary: "check a file before it is used; exit 2 if it is wrong",
    args: "[file]",
    options: SERVER_OPTIONS,
    load: async () => (await import("./config.ts")).configCheck,
  },
  {
    name: "version",
    summary: "version of timberline and of the runtime it runs on",
    load: async () => (await import("./version.ts")).version,
  },
];
