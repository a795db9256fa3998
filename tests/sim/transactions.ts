// A transactional producer: a few records to each partition, then a commit or an abort; now and then it dawdles until the
// broker aborts for it, or another one takes its name over in the middle. Readers see only what was committed.

import {
  ClientError,
  type Transaction,
  type TransactionalProducer,
} from "../../runtime/client/mod.ts";
import type { PollEntry, TransactionEntry } from "./history.ts";
import type { SimProcess } from "./process.ts";
import type { Workload } from "./workload.ts";

export const transferTopic = "transfers";
export const transferPartitions = 2;

const transactionTimeoutMs = 2_000;
const everyMs = 120;
const recordsMax = 3;
const abortChance = 0.2;
const dawdleChance = 0.02;
const takeOverChance = 0.05;

/** One name, one transaction at a time. */
export function transact(workload: Workload, name: string): void {
  const { client, process } = workload.open(name);
  const { transfers } = workload.history;
  const { random } = process;
  const open = () =>
    client.transactionalProducer({
      transactionalId: name,
      transactionTimeoutMs,
      deliveryTimeoutMs: 8_000,
    });
  let producer = open();
  let number = 0;
  const replace = (old: TransactionalProducer) => {
    producer = open();
    return old.close().catch((error: unknown) => workload.refused(name, error));
  };
  const round = async () => {
    await workload.rest(process, random.between(0, 2 * everyMs));
    const own = producer;
    try {
      const transaction = await own.begin();
      const entry: TransactionEntry = { number: number++, values: [], outcome: "open" };
      transfers.transactions.push(entry);
      fill(transaction, entry, process);
      if (random.chance(dawdleChance)) await workload.rest(process, 2 * transactionTimeoutMs);
      if (random.chance(takeOverChance)) {
        producer = open();
        // The first transaction of the new one shuts the old one out.
        await (await producer.begin()).abort();
      }
      await end(transaction, entry);
      if (producer !== own) await own.close();
    } catch (error) {
      workload.refused(name, error);
      if (producer === own) await replace(own);
    }
  };
  const end = async (transaction: Transaction, entry: TransactionEntry) => {
    if (random.chance(abortChance)) {
      entry.outcome = "aborted";
      await transaction.abort();
      return;
    }
    entry.outcome = "info";
    try {
      await transaction.commit();
      entry.outcome = "committed";
    } catch (error) {
      workload.refused(name, error, `transaction ${entry.number}`);
      await transaction.abort();
      const isUnknown = error instanceof ClientError && error.code === "OUTCOME_UNKNOWN";
      if (!isUnknown) entry.outcome = "aborted";
      throw error;
    }
  };
  workload.repeat(
    process,
    () => workload.awaited(round),
    () => workload.awaited(() => producer.close()),
  );
}

/** Some records for each partition. */
function fill(
  transaction: Transaction,
  entry: TransactionEntry,
  { name, random }: SimProcess,
): void {
  for (let partition = 0; partition < transferPartitions; partition++) {
    for (let i = random.integer(recordsMax); i >= 0; i--) {
      const value = `${name}-${entry.number}-${entry.values.length}`;
      entry.values.push({ partition, value });
      // What fails spoils the transaction: the commit tells.
      transaction.send({ topic: transferTopic, partition, value }).catch(() => {});
    }
  }
}

/** Reads what is committed, and notices at once what is not. */
export function readTransfers(workload: Workload, name: string): void {
  const { polls, transactions, early } = workload.history.transfers;
  const states = new Map<string, TransactionEntry>();
  let known = 0;
  const polled = ({ reader, records }: PollEntry) => {
    for (; known < transactions.length; known++) {
      for (const { value } of transactions[known]!.values) states.set(value, transactions[known]!);
    }
    for (const { value } of records) {
      if (states.get(value)?.outcome === "open") early.push(`${reader} read ${value}`);
    }
  };
  const isolation = "read_committed";
  const what = {
    topic: transferTopic,
    partitions: transferPartitions,
    isolation,
    polls,
    polled,
  } as const;
  workload.read(name, what);
}
