// `cluster reassign`: moves partitions as a file says or onto brokers that are named, shows what is moving, and ends it.

import { readFileSync } from "node:fs";
import type { Admin, Reassignment } from "../client/mod.ts";
import { choiceOf, isChosen } from "./cluster-elect.ts";
import {
  type ClusterFacts,
  clusterFacts,
  placements,
  placeOf,
  type Sizes,
  sizeOf,
  sizesOn,
} from "./cluster-facts.ts";
import { carryOut, tellFailures } from "./cluster-move.ts";
import { type Move, type Placement, planOnto, tooManyReplicas } from "./cluster-plan.ts";
import { rateOf } from "./cluster-throttle.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withAdmin, withClient } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { parsePartitions } from "./offset-spec.ts";
import { type Column, formatCounted, printRows } from "./output.ts";

export async function clusterReassign(call: Call): Promise<ExitCode> {
  const { shell, args, flags } = call;
  const [action] = args;
  if (action !== undefined && action !== "list") {
    throw usageError(
      `"${action}" is not an action of reassign`,
      "timberline cluster reassign list",
    );
  }
  if (action === "list") return list(call);
  if (flags.isSet("cancel")) return cancel(call);
  const plan = flags.text("plan");
  const to = flags.text("to");
  if ((plan === undefined) === (to === undefined)) {
    throw usageError("say where to: --to BROKERS with --topic, or --plan FILE");
  }
  const wanted = plan === undefined ? undefined : parsePlan(readPlan(plan), plan);
  const rate = rateOf(flags, "throttle");
  return withClient(shell, async (connection) => {
    const facts = await clusterFacts(connection.client.admin());
    const moves = wanted ? movesOf(facts, wanted) : movesOnto(call, facts, to ?? "");
    const isDryRun = flags.isSet("dryRun");
    const isDone = await carryOut(shell, connection, moves, {
      ...{ rate, isDryRun, isWatched: flags.isSet("watch") },
    });
    return isDone || isDryRun ? ExitCode.done : ExitCode.failed;
  });
}

/** A plan in Kafka's JSON, or rows as `--dry-run -o json` writes them. Throws CliError. */
export function parsePlan(text: string, name: string): Placement[] {
  const wrong = (why: string) => {
    const hint = '{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2]}]}';
    return usageError(`${name}: ${why}`, hint);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong("this is not JSON");
  }
  const rows = Array.isArray(parsed) ? parsed : (parsed as { partitions?: unknown })?.partitions;
  if (!Array.isArray(rows)) throw wrong('there is no list of "partitions"');
  const seen = new Set<string>();
  return rows.map((row: unknown, at) => {
    const { topic, partition, replicas } = (row ?? {}) as Partial<Record<keyof Placement, unknown>>;
    const isRight =
      typeof topic === "string" &&
      isId(partition) &&
      Array.isArray(replicas) &&
      replicas.every(isId);
    if (!isRight) throw wrong(`entry ${at + 1} needs a topic, a partition and replicas`);
    const place = { topic, partition, replicas };
    if (replicas.length === 0) throw wrong(`${placeOf(place)} needs a replica`);
    if (seen.has(placeOf(place))) throw wrong(`${placeOf(place)} is there twice`);
    seen.add(placeOf(place));
    return place;
  });
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}

function readPlan(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CliError(`${path}: the plan cannot be read`, { exitCode: ExitCode.usage, cause });
  }
}

function movesOf(facts: ClusterFacts, wanted: readonly Placement[]): Move[] {
  const now = new Map(placements(facts).map((one) => [placeOf(one), one.replicas]));
  const known = new Set(facts.brokers.map(({ id }) => id));
  const moves = wanted.map((one): Move => {
    const from = now.get(placeOf(one));
    if (from === undefined) throw new CliError(`${placeOf(one)}: there is no such partition`);
    const stranger = one.replicas.find((id) => !known.has(id));
    if (stranger === undefined) return { ...one, from };
    const ids = [...known].join(", ");
    throw new CliError(`${placeOf(one)}: there is no broker ${stranger}: the brokers are ${ids}`);
  });
  return moves.filter(({ from, replicas }) => String(from) !== String(replicas));
}

function movesOnto({ flags }: Call, facts: ClusterFacts, to: string): Move[] {
  const choice = choiceOf(flags);
  if (choice === null) throw usageError("--to needs a --topic", "cluster rebalance --replicas");
  const missing = choice.topics.find((topic) => !facts.topics.some(({ name }) => name === topic));
  if (missing !== undefined) throw new CliError(`there is no topic ${missing}`);
  const ids = parsePartitions(to);
  const brokers = ids.map((id) => {
    const broker = facts.brokers.find((each) => each.id === id);
    if (broker === undefined) throw new CliError(`there is no broker ${id}`);
    if (!broker.isFenced) return broker;
    throw new CliError(`broker ${id} is fenced: nothing can be copied to it`);
  });
  const chosen = placements(facts).filter((one) => isChosen(choice, one));
  const most = tooManyReplicas(chosen, brokers.length);
  if (most === undefined) return planOnto({ brokers, placements: chosen });
  throw usageError(
    `${placeOf(most)} has ${most.replicas.length} replicas, and --to names ` +
      formatCounted(brokers.length, "broker"),
    "name more brokers, or change the number of replicas with --plan",
  );
}

async function list({ shell }: Call): Promise<ExitCode> {
  const rows = await withAdmin(shell, async (admin) => {
    const found = await admin.care.reassignments();
    const holders = new Set(found.flatMap(({ replicas }) => replicas));
    const sizes = await sizesOn(admin, [...holders]);
    return found
      .map((each) => ({ ...each, copied: copiedOf(each, sizes) }))
      .toSorted((a, b) => compareText(a.topic, b.topic) || a.partition - b.partition);
  });
  const columns: Column[] = [
    ...["topic", "partition", "replicas", "adding", "removing"].map((key) => ({ key })),
    {
      ...{ key: "copied", align: "right" },
      show: (part) => (typeof part === "number" ? `${Math.floor(part * 100)}%` : "-"),
    },
  ];
  await printRows(shell, columns, rows);
  if (rows.length === 0) shell.note("nothing is moving");
  return ExitCode.done;
}

/** 0…1 of the bytes of the replicas that are added; null where none is, or nobody tells. */
function copiedOf(move: Reassignment, sizes: Sizes): number | null {
  const old = move.replicas.filter((id) => !move.adding.includes(id));
  const total = sizeOf(sizes, move, old) * move.adding.length;
  if (total === 0) return null;
  const copied = move.adding.reduce((sum, id) => sum + sizeOf(sizes, move, [id]), 0);
  return Math.min(1, copied / total);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

async function cancel({ shell, flags }: Call): Promise<ExitCode> {
  const choice = choiceOf(flags);
  return withAdmin(shell, async (admin: Admin) => {
    const moving = (await admin.care.reassignments()).filter((each) => isChosen(choice, each));
    if (moving.length === 0) {
      shell.note("nothing is moving");
      return ExitCode.done;
    }
    const what = `end ${formatCounted(moving.length, "move")} and go back`;
    await confirm(shell, { what, answer: "yes" });
    const ends = moving.map(({ topic, partition }) => ({ topic, partition, replicas: null }));
    const outcomes = await admin.care.reassign(ends);
    const ended = outcomes.filter(({ error }) => error === null).length;
    shell.note(`${formatCounted(ended, "move")} ended`);
    shell.note("a throttle that was set for them stays until: timberline cluster throttle --off");
    return tellFailures(shell, outcomes);
  });
}
