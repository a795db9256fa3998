// `group list describe lag`: what consumer groups there are, who is in them, and how far they are behind. Reads
// only.

import type { GroupLag } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { withClient } from "./connection.ts";
import { ExitCode } from "./exit.ts";
import { type Column, formatCount, printRows, type Row } from "./output.ts";

const countColumn = (key: string): Column => ({
  key,
  align: "right",
  show: (value) => (typeof value === "number" ? formatCount(value) : "-"),
});

export async function groupList({ shell, flags }: Call): Promise<undefined> {
  const wanted = flags.text("state")?.toLowerCase();
  const groups = await withClient(shell, ({ client }) => client.groups().list());
  const rows = groups
    .filter(({ state }) => wanted === undefined || state.toLowerCase() === wanted)
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

export async function groupDescribe({ shell, args }: Call): Promise<undefined> {
  const rows: Row[] = [];
  await withClient(shell, async ({ client }) => {
    for (const groupId of args) {
      const group = await client.groups().describe(groupId);
      shell.note(
        `${groupId}: ${group.state}, ${group.members.length} members, ${group.type} protocol, ` +
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
    }
  });
  const columns: readonly Column[] = [
    { key: "group" },
    { key: "member" },
    { key: "instance", isWide: true },
    { key: "client" },
    { key: "host" },
    { key: "count", title: "partitions" },
    { key: "partitions", title: "assigned", isWide: true },
  ];
  await printRows(shell, columns, rows);
}

export async function groupLag({ shell, args, flags }: Call): Promise<ExitCode> {
  const lagMax = flags.integer("max", { min: 0, max: Number.MAX_SAFE_INTEGER });
  const rows: Row[] = [];
  let worst = 0;
  await withClient(shell, async ({ client }) => {
    for (const groupId of args) {
      const partitions = await client.groups().lag(groupId);
      const total = partitions.reduce((sum, { lag }) => sum + lag, 0);
      worst = Math.max(worst, total);
      shell.note(`${groupId}: ${formatCount(total)} records behind`);
      rows.push(...partitions.map((each) => lagRow(groupId, each)));
    }
  });
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
  return lagMax !== undefined && worst > lagMax ? ExitCode.checkFalse : ExitCode.done;
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
