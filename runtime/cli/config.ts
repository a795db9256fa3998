// `timberline config explain|show|check`: what is configured, where each value comes from, and what is wrong.
// Uses the same sources as `serve`, and needs no server.

import {
  allKeys,
  type BrokerConfig,
  type Explanation,
  explain,
  explainDifferences,
  formatProblem,
  loadConfig,
  nearestKey,
} from "../config.ts";
import type { Call } from "./commands.ts";
import { loadServerConfig, readConfigFile } from "./config-sources.ts";
import { ExitCode, usageError } from "./exit.ts";
import { type Column, printFields, printRows } from "./output.ts";
import type { Shell } from "./shell.ts";

const VALUE_COLUMNS: readonly Column[] = [
  { key: "name" },
  { key: "value", align: "left" },
  { key: "place" },
  { key: "default", align: "left", isWide: true },
];

export async function configExplain({ shell, args, flags }: Call): Promise<ExitCode> {
  const { config, problems } = await loadServerConfig(flags);
  const [name] = args;
  if (name === undefined) {
    const different = explainDifferences(config);
    await printRows(shell, VALUE_COLUMNS, different.map(valueRow));
    if (different.length === 0) shell.note("every value is the default");
  } else {
    await printExplanation(shell, explained(name, config));
  }
  if (problems.length > 0) shell.warn(problems.map(formatProblem).join("\n"));
  return problems.length > 0 ? ExitCode.usage : ExitCode.done;
}

export async function configShow({ shell, flags }: Call): Promise<ExitCode> {
  const { config, problems } = await loadServerConfig(flags);
  const shown = flags.isSet("diff")
    ? explainDifferences(config)
    : allKeys("broker").map(({ name }) => explained(name, config));
  await printRows(shell, VALUE_COLUMNS, shown.map(valueRow));
  if (problems.length > 0) shell.warn(problems.map(formatProblem).join("\n"));
  return problems.length > 0 ? ExitCode.usage : ExitCode.done;
}

/** A named file alone, or all that `serve` would use. */
export async function configCheck({ shell, args, flags }: Call): Promise<ExitCode> {
  const [file] = args;
  const loaded = file
    ? await loadConfig({ file: readConfigFile(file) })
    : await loadServerConfig(flags);
  const found = [
    ...loaded.problems.map((problem) => ({ ...problem, severity: "problem" })),
    ...loaded.warnings.map((warning) => ({ ...warning, severity: "warning" })),
  ];
  if (shell.output !== "table" && shell.output !== "wide") {
    const keys = ["severity", "place", "key", "read", "message", "allowed", "nearest", "paste"];
    await printRows(
      shell,
      keys.map((key) => ({ key })),
      found,
    );
  } else {
    for (const problem of found)
      await shell.write(`${problem.severity}: ${formatProblem(problem)}\n`);
  }
  if (loaded.problems.length > 0) return ExitCode.usage;
  shell.note("ok: a broker can start with it");
  return ExitCode.done;
}

function explained(name: string, config: BrokerConfig): Explanation {
  const found = explain(name, config);
  if (found) return found;
  const near = nearestKey(name, "broker") ?? nearestKey(name, "topic");
  throw usageError(
    `no configuration key "${name}"`,
    ...(near ? [`timberline config explain ${near}`] : []),
  );
}

function valueRow({ name, value, layers, default: preset }: Explanation) {
  return { name, value, place: layers[0]?.place ?? "default", default: preset };
}

async function printExplanation(shell: Shell, key: Explanation): Promise<void> {
  if (shell.output !== "table" && shell.output !== "wide") {
    return shell.write(`${JSON.stringify(key, null, shell.output === "json" ? 2 : 0)}\n`);
  }
  const text = (name: string, value: string | null | undefined) =>
    value === null || value === undefined || value === "" ? [] : [{ key: name, value }];
  await printFields(shell, [
    ...text("key", key.name),
    ...text("meaning", key.doc),
    ...text("value", key.value ?? "not set"),
    ...text("default", key.default ?? "not set"),
    ...text(
      "type",
      key.unit === null ? key.type.toLowerCase() : `${key.type.toLowerCase()}, ${key.unit}`,
    ),
    ...text("allowed", key.allowed),
    ...text("also written", key.units),
    ...text("changed", changedText(key)),
    ...text("Kafka's name", key.kafka ? key.name : "none: Timberline's own"),
    ...text("variable", key.variable),
    ...text("broker key", key.brokerKey),
    ...text("default of", key.topicKeys.join(", ")),
    ...text("weaker names", key.weakerNames.join(", ")),
    ...text("see also", key.related.join(", ")),
  ]);
  if (key.layers.length === 0) return;
  await shell.write("\n");
  const columns: readonly Column[] = [
    { key: "layer" },
    { key: "place" },
    { key: "name" },
    { key: "value", align: "left" },
    { key: "wins" },
  ];
  await printRows(
    shell,
    columns,
    key.layers.map((layer, i) => ({ ...layer, wins: i === 0 ? "<-" : "" })),
  );
}

function changedText({ dynamic }: Explanation): string {
  switch (dynamic) {
    case "topic":
      return "per topic, while the broker runs: timberline topic alter TOPIC -c …";
    case "read-only":
      return "at the next start only";
    case "per-broker":
      return "while the broker runs, for each broker";
    default:
      return "while the broker runs, for one broker or all";
  }
}
