// `group list describe lag`: what consumer groups there are, who is in them, and how far they are behind. Reads
// only.

import type { GroupLag, Groups } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { withClient } from "./connection.ts";
import { ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { type Column, formatCount, formatCounted, printRows, type Row } from "./output.ts";
import { describeError, exitCodeOf } from "./report.ts";

const countColumn = (key: string): Column => ({
  key,
  align: "right",
  show: (value) => (typeof value === "number" ? formatCount(value) : "-"),
});

export async function groupList({ shell, flags }: Call): Promise<undefined> {
  const wanted = wantedState(flags);
  const groups = await withClient(shell, ({ client }) => client.groups().list());
  const rows = groups
    .filter(({ state }) => wanted === undefined || state === wanted)
    .map(({ groupId, state, type, protocolType }) => ({
      group: groupId,
      state,
      protocol: type,
      kind: protocolType,
    }))
    .sort((a, b) => (a.group < b.group ? -1 : 1));
  const columns = [
    { key: "group" },
    { key: "state" },
    { key: "protocol" },
    { key: "kind", isWide: true },
  ];
  await printRows(shell, columns, rows);
}

/** Kafka's names for the states of groups of both protocols. */
const states = [
  "Empty",
  "PreparingRebalance",
  "CompletingRebalance",
  "Assigning",
  "Reconciling",
  "Stable",
  "Dead",
] as const;

function wantedState(flags: Flags): string | undefined {
  const text = flags.text("state");
  if (text === undefined) return undefined;
  const found = states.find((state) => state.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return found;
  throw usageError(`--state: "${text}" is not one of ${states.join(", ")}`);
}

/** One group after the other; those that cannot be asked are told of, and cost the exit code. */
async function eachGroup(
  { shell, args }: Call,
  show: (groups: Groups, groupId: string) => Promise<void>,
): Promise<ExitCode> {
  return withClient(shell, async ({ client }) => {
    let code: ExitCode = ExitCode.done;
    for (const groupId of args) {
      try {
        await show(client.groups(), groupId);
      } catch (error) {
        shell.warn(describeError(error, shell.isVerbose));
        code = exitCodeOf(error);
      }
    }
    return code;
  });
}

export async function groupDescribe(call: Call): Promise<ExitCode> {
  const rows: Row[] = [];
  const code = await eachGroup(call, async (groups, groupId) => {
    const group = await groups.describe(groupId);
    call.shell.note(
      `${groupId}: ${group.state}, ${formatCounted(group.members.length, "member")}, ${group.type} protocol, ` +
        `assignor ${group.assignor || "-"}, coordinator ${group.coordinator}`,
    );
    for (const member of group.members) {
      rows.push({
        group: groupId,
        member: member.memberId,
        instance: member.instanceId,
        client: member.clientId,
        host: member.clientHost,
        count: member.partitions.length,
        partitions: member.partitions.map(({ topic, partition }) => `${topic}-${partition}`),
      });
    }
  });
  if (rows.length === 0 && code !== ExitCode.done) return code;
  const columns: readonly Column[] = [
    { key: "group" },
    { key: "member" },
    { key: "instance", isWide: true },
    { key: "client" },
    { key: "host" },
    { key: "count", title: "partitions" },
    { key: "partitions", title: "assigned", isWide: true },
  ];
  await printRows(call.shell, columns, rows);
  return code;
}

export async function groupLag(call: Call): Promise<ExitCode> {
  const { shell, flags } = call;
  const lagMax = flags.integer("max", { min: 0, max: Number.MAX_SAFE_INTEGER });
  const rows: Row[] = [];
  let worst = 0;
  const code = await eachGroup(call, async (groups, groupId) => {
    const partitions = await groups.lag(groupId);
    const total = partitions.reduce((sum, { lag }) => sum + lag, 0);
    worst = Math.max(worst, total);
    shell.note(`${groupId}: ${formatCounted(total, "record")} behind`);
    rows.push(...partitions.map((each) => lagRow(groupId, each)));
  });
  if (code !== ExitCode.done && rows.length === 0) return code;
  const columns: readonly Column[] = [
    { key: "group" },
    { key: "topic" },
    { key: "partition" },
    countColumn("committed"),
    countColumn("end"),
    countColumn("lag"),
    { key: "member" },
    { key: "host", isWide: true },
  ];
  await printRows(shell, columns, rows);
  return lagMax !== undefined && worst > lagMax ? ExitCode.checkFalse : code;
}

function lagRow(group: string, { topic, partition, ...each }: GroupLag): Row {
  return {
    group,
    topic,
    partition,
    committed: each.committed < 0 ? null : each.committed,
    end: each.endOffset < 0 ? null : each.endOffset,
    lag: each.lag,
    member: each.member?.memberId ?? null,
    host: each.member?.clientHost ?? null,
  };
}
