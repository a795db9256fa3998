// The manual's reference pages, made from the tables the program itself uses: commands, configuration keys,
// metrics, APIs, errors, limits. `reference.test.ts` compares them with the files in runtime/docs and, told to,
// writes them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS, type CommandSpec, GLOBAL_OPTIONS, GROUPS } from "../../runtime/cli/commands.ts";
import { ClientError, type ClientErrorCode } from "../../runtime/client/error.ts";
import { type ConfigKey, LONG_MAX } from "../../runtime/config/key.ts";
import { allKeys, variableOf } from "../../runtime/config/keys.ts";
import { statusOfCode } from "../../runtime/http/error.ts";
import { defaultHttpLimits, httpLimitKeys } from "../../runtime/http/limits.ts";
import { errorCodes } from "../../runtime/kafka/error-codes.ts";
import { FetchSessions } from "../../runtime/kafka/fetch-sessions.ts";
import { defaultDoorLimits } from "../../runtime/kafka/limits.ts";
import { registrations } from "../../runtime/kafka/registry.ts";
import { METRIC_PREFIX, METRICS, type MetricSpec } from "../../runtime/telemetry/metric-table.ts";
import { projectFolder } from "../support/project.ts";

/** Name of the page to its Markdown. */
export function referencePages(): ReadonlyMap<string, string> {
  return new Map([
    ["commands", commandsPage()],
    ["configuration", configurationPage()],
    ["errors", errorsPage()],
    ["limits", limitsPage()],
    ["metrics", metricsPage()],
    ["protocol-versions", protocolPage()],
  ]);
}

function commandsPage(): string {
  const groups = Object.entries(GROUPS).map(([name, what]) => `\`${name}\`: ${what}.`);
  return page(
    "Commands",
    "Every command of `timberline`. From a checkout write `npm run -s timberline -- COMMAND`. Data goes to " +
      `stdout, notes to stderr. Groups: ${groups.join(" ")}`,
    "## Options of every command",
    optionTable(GLOBAL_OPTIONS),
    "A command's own option comes first: `-o` of `consume` is an offset, and `--output` the format.",
    ...COMMANDS.flatMap(commandSection),
  );
}

function commandSection(spec: CommandSpec): string[] {
  const usage = ["timberline", spec.name, spec.options ? "[options]" : "", spec.args ?? ""];
  const parts = [
    `## ${spec.name}`,
    `${sentence(spec.summary)}`,
    fence(usage.filter((word) => word !== "").join(" ")),
  ];
  if (spec.options) parts.push(optionTable(spec.options));
  if (spec.examples) parts.push(`For example:\n\n${fence(spec.examples.join("\n"))}`);
  return parts;
}

/** `<x...>` means that the option may be given again; the parser shows it so, and so do we. */
function optionTable(options: readonly (readonly [flags: string, help: string])[]): string {
  return table(
    ["option", "what it does"],
    options.map(([flags, help]) => {
      const isRepeatable = flags.endsWith("...>") && !flags.includes(",...");
      return [
        code(flags.replace(/(?<!,)\.\.\.>$/, ">")),
        isRepeatable ? `${help}; may be repeated` : help,
      ];
    }),
  );
}

function configurationPage(): string {
  return page(
    "Configuration keys",
    "A value is looked for in this order, and the last one found wins: the default; the file (`--config`, else " +
      "`./timberline.toml`, else `/etc/timberline/timberline.toml`); the environment; `--set`; the flags of `serve`; " +
      "what was changed while the broker runs. `timberline config explain KEY` says where a value comes from.",
    `The environment variable of a key is its name in capitals with underscores: ` +
      `\`log.retention.ms\` is \`${variableOf("log.retention.ms")}\`, and \`timberline.http.port\` is ` +
      `\`${variableOf("timberline.http.port")}\`. In the file, the environment and flags numbers may ` +
      "carry units: `7d`, `512MiB`; in requests to a running broker, `topic create -c` included, they are plain. Names " +
      "without `timberline.` are Kafka's and mean what they mean there.",
    "## Topic keys",
    "Set with `topic create -c name=value` or `topic alter -c name=value`; they take effect at once. " +
      "Where a topic sets nothing, the broker's key holds.",
    table(
      ["key", "default", "allowed", "broker's key", "meaning"],
      allKeys("topic").map((key) => [
        ...named(key),
        key.brokerKey === null ? "none" : code(key.brokerKey),
        key.doc,
      ]),
    ),
    "## Group keys",
    "Set for one consumer group, which need not exist yet, with `group alter -c name=value` or Kafka's " +
      "`kafka-configs.sh --entity-type groups`; they take effect at once. Where a group sets nothing, the broker's " +
      "key holds.",
    table(
      ["key", "default", "allowed", "broker's key", "meaning"],
      allKeys("group").map((key) => [...named(key), code(key.brokerKey!), key.doc]),
    ),
    "## Broker keys",
    "*restart*: takes effect at the next start. *per broker* and *cluster*: may be changed while the broker runs.",
    table(
      ["key", "default", "allowed", "changed", "meaning"],
      allKeys("broker").map((key) => [...named(key), CHANGED[key.dynamic], key.doc]),
    ),
  );
}

const CHANGED: { readonly [dynamic in ConfigKey["dynamic"]]: string } = {
  "read-only": "restart",
  "per-broker": "per broker",
  "cluster-wide": "cluster",
};

function named(key: ConfigKey): string[] {
  const preset = key.default === null || key.default === "" ? "none" : code(key.default);
  const isNoLimit = key.default === LONG_MAX;
  const unit = key.unit === null || key.unit === "count" ? "" : `, in ${key.unit}`;
  return [code(key.name), isNoLimit ? "no limit" : preset, `${key.rule.allowed}${unit}`];
}

function metricsPage(): string {
  return page(
    "Metrics",
    "`GET /metrics` gives OpenMetrics or Prometheus text, as the Accept header asks. Topics beyond the busiest 200 are " +
      "summed up as `other`. Keys, client ids, addresses and other free text are never a label.",
    table(
      ["metric", "type", "labels", "meaning"],
      Object.entries<MetricSpec>(METRICS).map(([name, { type, labels, help }]) => [
        code(METRIC_PREFIX + name),
        type,
        labels.map(code).join(", "),
        help,
      ]),
    ),
  );
}

const noUsers = { describe: () => new Map(), isKept: () => false, alter: async () => {} };

function protocolPage(): string {
  const sessions = new FetchSessions({
    clock: { nowMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel() {} }), soon() {} },
    random: { integer: () => 0, bytes: (length) => new Uint8Array(length) },
  });
  const apis = registrations(sessions, undefined, undefined, noUsers).map(({ api }) => api);
  return page(
    "Protocol versions",
    "The APIs of the Kafka door. A client asks for this list (ApiVersions) and picks the newest version both sides " +
      "know. A request for anything else ends the connection, as in Kafka; only an unknown version of ApiVersions itself " +
      "is answered.",
    table(
      ["API", "key", "advertised", "served"],
      apis.map(({ name, key, versions, advertisedMin }) => [
        name,
        String(key),
        range(advertisedMin, versions.max),
        range(versions.min, versions.max),
      ]),
    ),
    "Produce is advertised from version 0 because some clients switch their codecs off otherwise; versions before 3 " +
      "hold a message format that is no longer written anywhere, and are refused.",
  );
}

function errorsPage(): string {
  return page(
    "Errors",
    "An error has one name on both doors: Kafka's. The Kafka door sends its number, the HTTP door a status and " +
      '`{"error": {"code": …, "message": …, "status": …}}`. The message says what to do. *Retry* marks those after ' +
      "which the same request may succeed later; clients do so by themselves.",
    table(
      ["name", "Kafka's number", "HTTP status", "retry"],
      Object.entries(statusOfCode).map(([name, status]) => [
        code(name),
        String(errorCodes[name as keyof typeof errorCodes]),
        String(status),
        new ClientError(name as ClientErrorCode, "").retriable ? "yes" : "",
      ]),
    ),
  );
}

function limitsPage(): string {
  const keys = new Map<string, string>(Object.entries(httpLimitKeys));
  const config = allKeys("broker").filter(
    ({ name }) => /\bmax\b/.test(name) && !name.startsWith("log."),
  );
  return page(
    "Limits",
    "Every queue, buffer, count and frame has an upper limit. What has a configuration key can be changed; the " +
      "others are changed only by a program that embeds a door.",
    "## Set by configuration",
    table(
      ["key", "default", "meaning"],
      config.map((key) => [...named(key).slice(0, 2), key.doc]),
    ),
    "## Kafka door",
    limitTable("runtime/kafka/limits.ts", defaultDoorLimits, doorKey),
    "## HTTP door",
    limitTable("runtime/http/limits.ts", defaultHttpLimits, (name) => keys.get(name)),
  );
}

function limitTable(
  source: string,
  values: object,
  keyOf: (name: string, meaning: string) => string | undefined,
): string {
  const meanings = meaningsOf(source);
  return table(
    ["limit", "default", "key", "meaning"],
    Object.entries(values as Record<string, number>).map(([name, value]) => {
      const meaning = meanings.get(name) ?? "";
      const key = keyOf(name, meaning);
      return [code(name), quantity(name, value), key ? code(key) : "", meaning];
    }),
  );
}

/** The Kafka door names its keys in its comments: "… (max.connections), and … (max.connections.per.ip)". */
function doorKey(name: string, meaning: string): string | undefined {
  const keys = [...meaning.matchAll(/\(([a-z]+(?:\.[a-z]+)+)\)/g)].map(([, key]) => key);
  return keys.length > 1 && name.includes("PerAddress") ? keys[1] : keys[0];
}

/** What the comments of an interface say of its fields; one comment may stand above several. */
function meaningsOf(source: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(projectFolder, source), "utf8");
  const meanings = new Map<string, string>();
  let meaning = "";
  for (const [, comment, name] of text.matchAll(/\/\*\* (.+?) \*\/|^ {2}readonly (\w+): /gm)) {
    if (comment !== undefined) meaning = comment.replaceAll(/\s+/g, " ");
    if (name !== undefined) meanings.set(name, meaning);
  }
  return meanings;
}

const UNITS = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
] as const;

function quantity(name: string, value: number): string {
  if (/Ms(Max)?$/.test(name)) return value < 1000 ? `${value} ms` : `${value / 1000} s`;
  const isBytes = /Bytes(Max|Min)?$/.test(name);
  const unit = UNITS.find(([, size]) => isBytes && value % size === 0);
  return unit ? `${value / unit[1]} ${unit[0]}` : value.toLocaleString("en-US");
}

function range(min: number, max: number): string {
  return min === max ? String(min) : `${min} to ${max}`;
}

function page(title: string, ...parts: string[]): string {
  return `${[`# ${title}`, ...parts].join("\n\n")}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function fence(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}

function code(text: string): string {
  return `\`${text}\``;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
