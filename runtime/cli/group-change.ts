// `group reset-offsets delete`: moves committed offsets, and forgets groups. A reset shows its plan first and does
// nothing without `--execute`: records would be read again, or never.

import {
  type Admin,
  type Client,
  ClientError,
  type GroupOffset,
  type Groups,
  type PartitionOffset,
  type TopicPartition,
} from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withClient } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { parsePartitions } from "./offset-spec.ts";
import { type Column, formatCounted, printRows } from "./output.ts";
import { thePlatform } from "./platform.ts";
import { describeError, exitCodeOf } from "./report.ts";
import { parseTimeMs } from "./time-spec.ts";

type Target =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "time"; readonly timestampMs: number }
  | { readonly kind: "shift"; readonly by: number };

interface Planned extends TopicPartition {
  readonly before: number | null;
  readonly after: number;
}

const hint = "use --to earliest, latest, 1234, @-15m or @2001-01-31T10:00, or --shift=-100";

export async function groupResetOffsets({ shell, args, flags }: Call): Promise<ExitCode> {
  const [groupId = ""] = args;
  const target = parseTarget(flags);
  return withClient(shell, async ({ client }) => {
    const groups = client.groups();
    const committed = await groups.offsets(groupId);
    const places = await chosen(client, committed, flags);
    if (places.length === 0) {
      throw usageError(`group ${groupId} has no offsets to move`, "name topics with --topic");
    }
    const plan = await planned(client.admin(), places, committed, target);
    const columns: readonly Column[] = [
      { key: "topic" },
      { key: "partition" },
      { key: "before" },
      { key: "after" },
      { key: "error" },
    ];
    const isForReal = flags.isSet("execute");
    const errors = isForReal
      ? await groups.commit(
          groupId,
          plan.map(({ topic, partition, after }) => ({ topic, partition, offset: after })),
        )
      : [];
    const rows = plan.map(({ topic, partition, before, after }, i) => {
      return { topic, partition, before, after, error: errors[i]?.code ?? null };
    });
    await printRows(shell, columns, rows);
    if (!isForReal) shell.note(await whatExecuteDoes(groups, groupId));
    const failed = errors.find((error) => error !== null);
    if (failed?.code === "UNKNOWN_MEMBER_ID") {
      throw new CliError(`group ${groupId} has members: offsets can be moved when they are gone`, {
        hints: ["stop its consumers, and wait for their session to end"],
      });
    }
    return failed ? ExitCode.failed : ExitCode.done;
  });
}

export async function groupDelete({ shell, args }: Call): Promise<ExitCode> {
  await confirm(shell, { what: `forget the groups ${args.join(", ")}`, answer: args[0] ?? "" });
  return withClient(shell, async ({ client }) => {
    let code: ExitCode = ExitCode.done;
    for (const groupId of args) {
      try {
        await client.groups().delete(groupId);
        shell.note(`${groupId} is forgotten, with its offsets`);
      } catch (error) {
        shell.warn(describeError(error, shell.isVerbose));
        code = exitCodeOf(error);
      }
    }
    return code;
  });
}

/** Who only looks is told what stands in the way of doing it. */
async function whatExecuteDoes(groups: Groups, groupId: string): Promise<string> {
  const members = await membersOf(groups, groupId);
  const nothing = "nothing was changed: --execute does it";
  if (members === 0) return nothing;
  return `${nothing}, once those who read now (${formatCounted(members, "member")}) have stopped`;
}

async function membersOf(groups: Groups, groupId: string): Promise<number> {
  try {
    return (await groups.describe(groupId)).members.length;
  } catch (error) {
    // A group may begin with the offsets it is given.
    if (error instanceof ClientError && error.code === "GROUP_ID_NOT_FOUND") return 0;
    throw error;
  }
}

function parseTarget(flags: Flags): Target {
  const to = flags.text("to");
  const shift = flags.text("shift");
  if (to !== undefined && shift !== undefined) throw usageError("--to and --shift: only one", hint);
  if (to === undefined && shift === undefined) throw usageError("say where to", hint);
  if (shift !== undefined) {
    if (!/^[+-]?\d{1,15}$/.test(shift)) throw usageError(`--shift ${shift}: not a count`, hint);
    return { kind: "shift", by: Number(shift) };
  }
  if (to === "earliest" || to === "latest") return { kind: to };
  if (to?.startsWith("@")) {
    return { kind: "time", timestampMs: parseTimeMs(to.slice(1), thePlatform().clock.nowMs()) };
  }
  if (!/^\d{1,15}$/.test(to ?? "")) throw usageError(`--to ${to}: not an offset`, hint);
  return { kind: "offset", offset: Number(to) };
}

/** The partitions of the named topics; without names those the group has offsets of. */
async function chosen(
  client: Client,
  committed: readonly GroupOffset[],
  flags: Flags,
): Promise<readonly TopicPartition[]> {
  const names = flags.list("topic");
  const wanted = flags.text("partitions");
  const only = wanted === undefined ? undefined : new Set(parsePartitions(wanted));
  const topics = names.length === 0 ? [] : await client.admin().topics(names);
  const places =
    names.length === 0
      ? committed.map(({ topic, partition }) => ({ topic, partition }))
      : topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partition }) => ({ topic: name, partition })),
        );
  return places
    .filter(({ partition }) => only?.has(partition) ?? true)
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

/** Never outside of what the partition holds. */
async function planned(
  admin: Admin,
  places: readonly TopicPartition[],
  committed: readonly GroupOffset[],
  target: Target,
): Promise<readonly Planned[]> {
  const ask = (spec: "earliest" | "latest" | { timestampMs: number }) =>
    admin.listOffsets(places.map(({ topic, partition }) => ({ topic, partition, spec })));
  const [starts, ends] = await Promise.all([ask("earliest"), ask("latest")]);
  const atTime = target.kind === "time" ? await ask(target) : [];
  const known = new Map(committed.map((each) => [`${each.topic} ${each.partition}`, each.offset]));
  return places.map(({ topic, partition }, i) => {
    const before = known.get(`${topic} ${partition}`) ?? null;
    const start = offsetOf(starts[i]);
    const end = offsetOf(ends[i]);
    const wanted = wantedOffset(target, { before, start, end, atTime: atTime[i]?.offset ?? -1 });
    return { topic, partition, before, after: Math.min(end, Math.max(start, wanted)) };
  });
}

function wantedOffset(
  target: Target,
  known: { before: number | null; start: number; end: number; atTime: number },
): number {
  if (target.kind === "earliest") return known.start;
  if (target.kind === "latest") return known.end;
  if (target.kind === "offset") return target.offset;
  // No record is that late: what comes next.
  if (target.kind === "time") return known.atTime < 0 ? known.end : known.atTime;
  return (known.before ?? known.start) + target.by;
}

function offsetOf(answer: PartitionOffset | undefined): number {
  if (answer?.error) throw answer.error;
  return answer?.offset ?? 0;
}
