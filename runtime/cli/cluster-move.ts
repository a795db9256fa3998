// Carrying a plan out: shown, confirmed, throttled, begun, watched until every partition is where it should be, and
// led by whom it prefers. Used by all commands of `timberline cluster` that move partitions.

import type { Admin, CareOutcome, TopicPartition } from "../client/mod.ts";
import { liveBrokers, placeOf, sizeOf, sizesOn } from "./cluster-facts.ts";
import { addedReplicas, type Move } from "./cluster-plan.ts";
import { beginThrottle, endThrottle } from "./cluster-throttle.ts";
import { watchMoves } from "./cluster-watch.ts";
import { confirm } from "./confirm.ts";
import type { Connection } from "./connection.ts";
import { ExitCode } from "./exit.ts";
import { type Column, formatBytes, formatCounted, printRows } from "./output.ts";
import { reportError } from "./report.ts";
import type { Shell } from "./shell.ts";

/** One change of the metadata must fit into one message of the service that keeps it. */
const MOVES_PER_REQUEST = 500;

export interface MoveOptions {
  /** Bytes per second and broker; undefined: no limit. */
  readonly rate: number | undefined;
  readonly isWatched: boolean;
  readonly isDryRun: boolean;
}

/** True: everything is where the plan says, or that is on its way if nobody watches. */
export async function carryOut(
  shell: Shell,
  connection: Connection,
  moves: readonly Move[],
  options: MoveOptions,
): Promise<boolean> {
  const admin = connection.client.admin();
  await showPlan(shell, admin, moves);
  if (moves.length === 0) return true;
  if (options.isDryRun) return false;
  const copies = moves.filter((move) => addedReplicas(move).length > 0);
  const what = `move ${formatCounted(moves.length, "partition")}, ${copies.length} with their data`;
  await confirm(shell, { what, answer: "yes" });
  const { rate } = options;
  const isThrottled = rate !== undefined && copies.length > 0;
  if (isThrottled) {
    const brokers = liveBrokers(await admin.care.members()).map(({ id }) => id);
    await beginThrottle(admin, copies, { rate, brokers });
  }
  const begun = await begin(shell, admin, moves);
  const endOwnThrottle = async () => {
    if (isThrottled) await endThrottle(admin, [...new Set(copies.map(({ topic }) => topic))]);
  };
  if (begun.length === 0) {
    await endOwnThrottle();
    return false;
  }
  if (!options.isWatched) {
    noteUnwatched(shell, begun, isThrottled);
    return begun.length === moves.length;
  }
  if (!(await watchMoves(shell, connection, begun))) {
    noteUnwatched(shell, begun, isThrottled);
    return false;
  }
  await endOwnThrottle();
  await leadByPreference(shell, admin, begun);
  shell.note(`${formatCounted(begun.length, "partition")} moved`);
  return begun.length === moves.length;
}

/** Elections that are not needed are fine; of others each is told. */
export async function leadByPreference(
  shell: Shell,
  admin: Admin,
  partitions: readonly TopicPartition[] | null,
): Promise<ExitCode> {
  const outcomes = await admin.care.electLeaders({ kind: "preferred", partitions });
  return tellFailures(shell, outcomes);
}

export function tellFailures(shell: Shell, outcomes: readonly CareOutcome[]): ExitCode {
  let code: ExitCode = ExitCode.done;
  for (const { error } of outcomes) {
    if (error === null || error.code === "ELECTION_NOT_NEEDED") continue;
    code = reportError(error, shell.isVerbose);
  }
  return code;
}

async function showPlan(shell: Shell, admin: Admin, moves: readonly Move[]): Promise<void> {
  const isForPeople = shell.output === "table" || shell.output === "wide";
  if (moves.length === 0) shell.note("nothing has to move");
  if (moves.length === 0 && isForPeople) return;
  const holders = new Set(moves.flatMap(({ from }) => from));
  const sizes = await sizesOn(admin, [...holders]);
  const rows = moves.map((move) => {
    const { topic, partition, from, replicas } = move;
    const bytes = sizeOf(sizes, move, from) * addedReplicas(move).length;
    return { topic, partition, from, replicas, bytes };
  });
  const columns: Column[] = [
    ...["topic", "partition", "from"].map((key) => ({ key })),
    { key: "replicas", title: "to" },
    {
      ...{ key: "bytes", title: "to copy", align: "right" },
      show: (bytes) => formatBytes(Number(bytes)),
    },
  ];
  await printRows(shell, columns, rows);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const copies = moves.reduce((sum, move) => sum + addedReplicas(move).length, 0);
  const replicas = formatCounted(copies, "replica");
  shell.note(
    `${formatCounted(moves.length, "partition")}, ${replicas} to copy, ${formatBytes(bytes)}`,
  );
}

/** Those that could be begun; why others could not is told. */
async function begin(shell: Shell, admin: Admin, moves: readonly Move[]): Promise<Move[]> {
  const begun: Move[] = [];
  for (let at = 0; at < moves.length; at += MOVES_PER_REQUEST) {
    const part = moves.slice(at, at + MOVES_PER_REQUEST);
    const outcomes = await admin.care.reassign(part);
    tellFailures(shell, outcomes);
    const refused = new Set(outcomes.filter(({ error }) => error !== null).map(placeOf));
    begun.push(...part.filter((move) => !refused.has(placeOf(move))));
  }
  return begun;
}

function noteUnwatched(shell: Shell, begun: readonly Move[], isThrottled: boolean): void {
  const what = formatCounted(begun.length, "partition");
  shell.note(`${what} on the way: timberline cluster reassign list shows what is moving`);
  if (isThrottled) shell.note("the throttle stays until: timberline cluster throttle --off");
}
