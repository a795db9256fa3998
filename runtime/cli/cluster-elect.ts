// `cluster elect`: preferred leaders, or any live replica where no other can lead; and the choice of partitions that
// several commands of `timberline cluster` share.

import type { Admin, TopicPartition } from "../client/mod.ts";
import { placeOf } from "./cluster-facts.ts";
import { tellFailures } from "./cluster-move.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withAdmin } from "./connection.ts";
import { type ExitCode, usageError } from "./exit.ts";
import type { Flags } from "./flags.ts";
import { parsePartitions } from "./offset-spec.ts";
import { formatCounted } from "./output.ts";

export async function clusterElect({ shell, flags }: Call): Promise<ExitCode> {
  const kind = flags.isSet("unclean") ? "unclean" : "preferred";
  const chosen = choiceOf(flags);
  if (kind === "unclean") {
    const what = "let replicas lead that may lack acknowledged records";
    await confirm(shell, { what, answer: "yes" });
  }
  return withAdmin(shell, async (admin) => {
    const partitions = chosen === null ? null : await placesOf(admin, chosen);
    const outcomes = await admin.care.electLeaders({ kind, partitions });
    const done = outcomes.filter(({ error }) => error === null);
    for (const outcome of done) if (shell.isVerbose) shell.note(`${placeOf(outcome)} elected`);
    shell.note(`${formatCounted(done.length, "leader")} elected`);
    return tellFailures(shell, outcomes);
  });
}

export interface Choice {
  readonly topics: readonly string[];
  /** Null: all. */
  readonly partitions: ReadonlySet<number> | null;
}

/** What --topic and --partitions choose; null: everything. */
export function choiceOf(flags: Flags): Choice | null {
  const topics = flags.list("topic");
  const text = flags.text("partitions");
  if (text === undefined) return topics.length === 0 ? null : { topics, partitions: null };
  if (topics.length !== 1) throw usageError("--partitions are those of one --topic");
  return { topics, partitions: new Set(parsePartitions(text)) };
}

export function isChosen(choice: Choice | null, { topic, partition }: TopicPartition): boolean {
  if (choice === null) return true;
  return choice.topics.includes(topic) && (choice.partitions?.has(partition) ?? true);
}

async function placesOf(admin: Admin, choice: Choice): Promise<TopicPartition[]> {
  const topics = await admin.topics(choice.topics);
  const all = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partition }) => ({ topic, partition })),
  );
  const missing = [...(choice.partitions ?? [])].find(
    (partition) => !all.some((place) => place.partition === partition),
  );
  if (missing === undefined) return all.filter((place) => isChosen(choice, place));
  throw usageError(`${choice.topics[0]} has no partition ${missing}`);
}
