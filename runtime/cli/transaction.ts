// `transaction list describe abort hanging`: which transactions there are, which hold readers back, and the way
// to end them. A hanging one is open in a partition while no coordinator knows of it: only a marker helps.

import type { Admin, TopicPartition } from "../client/mod.ts";
import type { Call } from "./commands.ts";
import { confirm } from "./confirm.ts";
import { withAdmin } from "./connection.ts";
import { ExitCode, usageError } from "./exit.ts";
import { type Column, printRows } from "./output.ts";
import { thePlatform } from "./platform.ts";
import { formatTimeIso } from "./time-spec.ts";

/** Kafka's transaction.max.timeout.ms: whoever is open for longer has no coordinator that would end it. */
const openMsMaxDefault = 900_000;
const offsetRange = { min: 0, max: Number.MAX_SAFE_INTEGER };

const time = (key: string, title: string): Column => ({
  key,
  title,
  align: "left",
  show: (value) => (typeof value === "number" && value >= 0 ? formatTimeIso(value) : "-"),
});

export async function transactionList({ shell, flags }: Call): Promise<undefined> {
  const states = flags.list("state");
  const found = await withAdmin(shell, (admin) => admin.transactions.list({ states }));
  const columns = [
    { key: "transactionalId", title: "id" },
    { key: "coordinator" },
    { key: "producerId", title: "producer" },
    { key: "state" },
  ];
  const rows = found.map((each) => ({ ...each }));
  await printRows(
    shell,
    columns,
    rows.sort((a, b) => (a.transactionalId < b.transactionalId ? -1 : 1)),
  );
}

export async function transactionDescribe({ shell, args }: Call): Promise<undefined> {
  const found = await withAdmin(shell, (admin) =>
    Promise.all(args.map((id) => admin.transactions.describe(id))),
  );
  const columns: Column[] = [
    { key: "transactionalId", title: "id" },
    { key: "coordinator" },
    { key: "producerId", title: "producer" },
    { key: "producerEpoch", title: "epoch" },
    { key: "state" },
    { key: "timeoutMs" },
    time("startMs", "begun"),
    { key: "partitions" },
  ];
  const rows = found.map((each) => ({
    ...each,
    partitions: each.partitions.map(({ topic, partition }) => `${topic}-${partition}`),
  }));
  await printRows(shell, columns, rows);
}

export async function transactionHanging({ shell, flags }: Call): Promise<ExitCode> {
  const openMsMax = flags.durationMs("longerThan") ?? openMsMaxDefault;
  const rows = await withAdmin(shell, (admin) => hanging(admin, flags.list("topic"), openMsMax));
  const columns: Column[] = [
    { key: "topic" },
    { key: "partition" },
    { key: "producerId", title: "producer" },
    { key: "producerEpoch", title: "epoch" },
    { key: "startOffset", title: "first offset" },
    time("lastTimestampMs", "last record"),
  ];
  await printRows(shell, columns, rows);
  if (rows.length > 0) {
    shell.note("to end one: timberline transaction abort TOPIC PARTITION FIRST-OFFSET");
  }
  return ExitCode.done;
}

export async function transactionAbort({ shell, args, flags }: Call): Promise<undefined> {
  const id = flags.text("id");
  if (id !== undefined && args.length > 0) {
    throw usageError("--id ends all that is open of an id: leave TOPIC PARTITION FIRST-OFFSET out");
  }
  if (id !== undefined) {
    await confirm(shell, {
      what: `abort what is open of ${id} and shut its producer out`,
      answer: id,
    });
    await withAdmin(shell, async (admin) => {
      // Ending what was never there would make it.
      await admin.transactions.describe(id);
      await admin.transactions.terminate(id);
    });
    shell.note(`${id}: nothing is open any more`);
    return;
  }
  const [topic, partitionText, offsetText] = args;
  if (topic === undefined || partitionText === undefined || offsetText === undefined) {
    throw usageError(
      "say --id ID, or TOPIC PARTITION FIRST-OFFSET of a hanging transaction",
      "timberline transaction hanging lists them",
    );
  }
  const place = { topic, partition: wholeNumber(partitionText, "PARTITION") };
  const startOffset = wholeNumber(offsetText, "FIRST-OFFSET");
  const where = `${topic}-${place.partition}`;
  await confirm(shell, {
    what: `abort the transaction at ${startOffset} of ${where}`,
    answer: "yes",
  });
  await withAdmin(shell, (admin) => abortAt(admin, place, startOffset));
  shell.note(`${where}: aborted`);
}

async function abortAt(admin: Admin, place: TopicPartition, startOffset: number): Promise<void> {
  const producers = await admin.producers(place);
  const found = producers.find((each) => each.transactionStartOffset === startOffset);
  if (found !== undefined) return admin.transactions.abort(place, found);
  throw usageError(
    `no transaction is open from offset ${startOffset} of ${place.topic}-${place.partition}`,
    "timberline transaction hanging lists them",
  );
}

/** Open for too long in a partition, while no coordinator says that it is open. */
async function hanging(admin: Admin, names: readonly string[], openMsMax: number) {
  const topics = await admin.topics(names.length > 0 ? names : undefined);
  const nowMs = thePlatform().clock.nowMs();
  const places = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition })),
  );
  const known = new Set<string>();
  for (const each of await admin.transactions.list({ states: openStates })) {
    const { partitions, producerId } = await admin.transactions.describe(each.transactionalId);
    for (const { topic, partition } of partitions) known.add(`${producerId} ${topic}-${partition}`);
  }
  const rows = [];
  for (const place of places) {
    for (const producer of await admin.producers(place)) {
      const { producerId, producerEpoch, lastTimestampMs, transactionStartOffset } = producer;
      const isOld = nowMs - lastTimestampMs >= openMsMax;
      const isKnown = known.has(`${producerId} ${place.topic}-${place.partition}`);
      if (transactionStartOffset < 0 || !isOld || isKnown) continue;
      const startOffset = transactionStartOffset;
      rows.push({ ...place, producerId, producerEpoch, startOffset, lastTimestampMs });
    }
  }
  return rows;
}

const openStates = ["Ongoing", "PrepareCommit", "PrepareAbort"];

function wholeNumber(text: string, name: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= offsetRange.min && value <= offsetRange.max) return value;
  throw usageError(`${name}: "${text}" is not a whole number`);
}
