// `topic alter`, `topic config`, `group alter`, `group config`: configurations that topics and consumer groups have of
// their own, changed and shown.

import type { ConfigOperation, ConfigResource } from "../client/mod.ts";
import { checkWritten, findGroupKey, findTopicKey } from "../config.ts";
import type { Call } from "./commands.ts";
import { withAdmin } from "./connection.ts";
import { usageError } from "./exit.ts";
import { type Flags, parsePair } from "./flags.ts";
import { type Column, printRows } from "./output.ts";

export function topicAlter(call: Call): Promise<undefined> {
  const [name = ""] = call.args;
  return alter(call, { kind: "topic", name }, "-c retention.ms=-1");
}

export function groupAlter(call: Call): Promise<undefined> {
  const [groupId = ""] = call.args;
  return alter(call, { kind: "group", groupId }, "-c consumer.session.timeout.ms=60s");
}

export function topicConfig(call: Call): Promise<undefined> {
  const [name = ""] = call.args;
  return show(call, { kind: "topic", name });
}

export function groupConfig(call: Call): Promise<undefined> {
  const [groupId = ""] = call.args;
  return show(call, { kind: "group", groupId });
}

export interface ConfigPair {
  readonly name: string;
  readonly value: string;
}

/** What a flag says as `name=value`, again and again. */
export function configPairs(flags: Flags, flag: string): ConfigPair[] {
  return flags.list(flag).map((text) => parsePair(text, `--${flag}`));
}

/** Brokers take plain numbers; people write 7d and 512MiB. What is wrong is left for the broker to say. */
export function withoutUnit({ name, value }: ConfigPair): ConfigPair {
  const key = findTopicKey(name) ?? findGroupKey(name);
  const checked = key && checkWritten(key, value);
  return { name, value: checked && "text" in checked ? checked.text : value };
}

async function alter(
  { shell, args, flags }: Call,
  resource: ConfigResource,
  example: string,
): Promise<undefined> {
  const [name = ""] = args;
  const operations: ConfigOperation[] = [
    ...configPairs(flags, "config").map((pair) => ({ ...withoutUnit(pair), op: "set" as const })),
    ...configPairs(flags, "append").map((pair) => ({ ...pair, op: "append" as const })),
    ...configPairs(flags, "subtract").map((pair) => ({ ...pair, op: "subtract" as const })),
    ...flags.list("delete").map((key) => ({ name: key, op: "delete" as const })),
  ];
  if (operations.length === 0) throw usageError("nothing to alter", `for example ${example}`);
  const validateOnly = flags.isSet("dryRun");
  await withAdmin(shell, (admin) => admin.alterConfigs(resource, operations, { validateOnly }));
  shell.note(validateOnly ? `${name} could be altered` : `${name} altered`);
}

async function show({ shell, flags }: Call, resource: ConfigResource): Promise<undefined> {
  const entries = await withAdmin(shell, (admin) =>
    admin.describeConfigs(resource, { documentation: true }),
  );
  const isDefault = (source: string) => source === "DEFAULT_CONFIG";
  const shown = entries.filter((entry) => flags.isSet("all") || !isDefault(entry.source));
  const columns: readonly Column[] = [
    { key: "name" },
    { key: "value", align: "left" },
    { key: "source", show: (source) => sourceText(String(source)) },
    { key: "type", isWide: true },
    { key: "documentation", isWide: true },
  ];
  const rows = shown.map(({ name: key, value, source, type, documentation }) => {
    return { name: key, value, source, type, documentation };
  });
  await printRows(shell, columns, rows);
  if (shown.length === 0) shell.note("all configurations are the defaults: --all shows them");
}

function sourceText(source: string): string {
  return source
    .toLowerCase()
    .replace(/_config$/, "")
    .replaceAll("_", " ");
}
