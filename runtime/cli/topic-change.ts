// `topic create delete add-partitions purge`: what changes topics. What destroys records asks first.

import type { Admin } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withAdmin } from "./connection.ts";
import { ExitCode, usageError } from "./exit.ts";
import { parsePartitions } from "./offset-spec.ts";
import { type Column, printRows, type Row } from "./output.ts";
import { thePlatform } from "./platform.ts";
import { reportError } from "./report.ts";
import { configPairs, withoutUnit } from "./set-configs.ts";
import type { Shell } from "./shell.ts";
import { parseTimeMs } from "./time-spec.ts";

const COUNT_RANGE = { min: 1, max: 1_000_000 };

export async function topicCreate({ shell, args, flags }: Call): Promise<ExitCode> {
  const partitions = flags.integer("partitions", COUNT_RANGE);
  const replicationFactor = flags.integer("replicationFactor", COUNT_RANGE);
  const configs = Object.fromEntries(
    configPairs(flags, "config").map((pair) => {
      const { name, value } = withoutUnit(pair);
      return [name, value];
    }),
  );
  const validateOnly = flags.isSet("dryRun");
  return withAdmin(shell, (admin) =>
    forEach(shell, args, async (name) => {
      const topic = {
        name,
        configs,
        ...(partitions === undefined ? {} : { partitions }),
        ...(replicationFactor === undefined ? {} : { replicationFactor }),
      };
      try {
        await admin.createTopic(topic, { validateOnly });
      } catch (error) {
        if (!flags.isSet("ifNotExists") || !hasCode(error, "TOPIC_ALREADY_EXISTS")) throw error;
        return shell.note(`${name} is there already`);
      }
      shell.note(validateOnly ? `${name} could be created` : `${name} created`);
    }),
  );
}

export async function topicDelete({ shell, args, flags }: Call): Promise<ExitCode> {
  await confirm(shell, {
    what: `delete ${args.join(", ")} with all records`,
    answer: args.length === 1 ? (args[0] as string) : "yes",
  });
  return withAdmin(shell, (admin) =>
    forEach(shell, args, async (name) => {
      try {
        await admin.deleteTopic(name);
      } catch (error) {
        if (!flags.isSet("ifExists") || !hasCode(error, "UNKNOWN_TOPIC_OR_PARTITION")) throw error;
        return shell.note(`${name} is not there`);
      }
      shell.note(`${name} deleted`);
    }),
  );
}

export async function topicAddPartitions({ shell, args }: Call): Promise<undefined> {
  const [name = "", text = ""] = args;
  const total = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (total === 0)
    throw usageError(`"${text}" is not a number of partitions`, "give the new total");
  await withAdmin(shell, (admin) => admin.createPartitions(name, total));
  shell.note(
    `${name} has ${total} partitions; new records of a key may go to another one than before`,
  );
}

export async function topicPurge({ shell, args, flags }: Call): Promise<ExitCode> {
  const [name = ""] = args;
  const before = parseBefore(flags.text("before") ?? "end");
  const wanted = flags.text("partitions");
  await confirm(shell, {
    what: `delete records of ${name} before ${flags.text("before") ?? "end"}`,
    answer: name,
  });
  return withAdmin(shell, async (admin) => {
    const topic = await admin.topic(name);
    const chosen = wanted === undefined ? null : new Set(parsePartitions(wanted));
    const partitions = topic.partitions
      .map(({ partition }) => partition)
      .filter((partition) => chosen?.has(partition) ?? true);
    const rows: Row[] = [];
    const code = await forEach(shell, partitions, async (partition) => {
      const offset = await purgeOffset(admin, { topic: name, partition }, before);
      const startOffset = await admin.deleteRecords({ topic: name, partition }, offset);
      rows.push({ topic: name, partition, startOffset });
    });
    const columns: readonly Column[] = [
      { key: "topic" },
      { key: "partition" },
      { key: "startOffset", title: "start" },
    ];
    await printRows(shell, columns, rows);
    return code;
  });
}

type Before = { readonly offset: number } | { readonly timestampMs: number };

/** -1 is the end: all that is there. */
const END: Before = { offset: -1 };

function parseBefore(text: string): Before {
  if (text === "end") return END;
  if (text.startsWith("@")) {
    return { timestampMs: parseTimeMs(text.slice(1), thePlatform().clock.nowMs()) };
  }
  if (/^\d{1,16}$/.test(text)) return { offset: Number(text) };
  throw usageError(`--before ${text}: not an offset`, "use 1234, @-7d, @2001-01-31 or end");
}

/** Where no record is at or after it, all lie before it. */
async function purgeOffset(
  admin: Admin,
  partition: { topic: string; partition: number },
  before: Before,
): Promise<number> {
  if (before === END) return -1;
  const spec = "offset" in before ? "latest" : before;
  const [found] = await admin.listOffsets([{ ...partition, spec }]);
  if (found?.error) throw found.error;
  const offset = found?.offset ?? -1;
  return "offset" in before ? Math.min(before.offset, offset) : offset;
}

/** Each item on its own: one that fails is reported, the others are done. */
async function forEach<T>(
  shell: Shell,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<ExitCode> {
  let code: ExitCode = ExitCode.done;
  for (const item of items) {
    try {
      await run(item);
    } catch (error) {
      code = reportError(error, shell.isVerbose);
    }
  }
  return code;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
