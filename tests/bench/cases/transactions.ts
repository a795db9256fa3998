// Transactions of 100 records: written by Kafka's Java client, and with ready-made requests by one producer and by
// many; and a topic full of them read with and without what was aborted.

import { join } from "node:path";
import { runProcess } from "../../support/processes.ts";
import { projectFolder } from "../../support/project.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type Bench, samples, withCpu } from "../bench.ts";
import type { BrokerProcess } from "../broker-process.ts";
import { kafkaLib } from "../kafka.ts";
import { readLoad } from "../load/fetch-load.ts";
import { transactionLoad } from "../load/transaction-load.ts";
import type { Measure, Samples, Target } from "../measure.ts";
import type { BenchCase } from "./case.ts";
import { busyNote } from "./throughput.ts";

const recordsPerTransaction = 100;
const javaMsMax = 180_000;
const fetchBytesMax = 10 * 1024 * 1024;
const megabyte = 1e6;
const target: Target = { of: "ratio", atLeast: 1 };

export const transactionCases: readonly BenchCase[] = [
  {
    name: "transactions",
    what: "Kafka's Java producer, transactions of 100 records of 1 KB, one after the other",
    run: javaCase,
  },
  {
    name: "transactions-wire",
    what: "the same with ready-made requests, one producer and 16 at once",
    run: async (bench) => [
      ...(await wireCase(bench, { producers: 1, transactions: 6_000 })),
      ...(await wireCase(bench, { producers: 16, transactions: 20_000 })),
    ],
  },
  {
    name: "read-committed",
    what: "a topic of transactions, one in ten aborted, read with and without the aborted ones told",
    run: readCase,
  },
];

async function javaCase(bench: Bench): Promise<Measure[]> {
  const classes = tempFolder("bench-classes");
  const path = `${classes}:${join(kafkaLib(), "*")}`;
  const source = join(projectFolder, "tests/bench/load/TransactionLoad.java");
  await succeed(["javac", "-cp", path, "-d", classes, source]);
  const name = "transactions of 100 × 1 KB, Java producer";
  const transactions = bench.scaled(4_000);
  const rounds = await bench.rounds(name, (side) =>
    onNewTopic(bench, side, 1, (broker, topic) =>
      withCpu(broker, async () => {
        const counts = [transactions, recordsPerTransaction, 1024].map(String);
        const load = ["TransactionLoad", broker.bootstrap, topic, ...counts];
        const said = await succeed(["java", "-cp", path, ...load]);
        return { rate: transactions / Number(/seconds (\S+)/.exec(said)?.[1]) };
      }),
    ),
  );
  const note = busyNote(rounds);
  return [{ name, unit: "per s", target, samples: samples(rounds, "rate"), note }];
}

async function wireCase(
  bench: Bench,
  options: { producers: number; transactions: number },
): Promise<Measure[]> {
  const { producers } = options;
  const transactions = bench.scaled(options.transactions);
  const many = producers === 1 ? "one producer" : `${producers} producers`;
  const name = `transactions of 100 × 1 KB, ready-made requests, ${many}`;
  const rounds = await bench.rounds(name, (side) =>
    onNewTopic(bench, side, producers, (broker, topic) => {
      const shape = { topic, producers, recordsPerTransaction, recordBytes: 1024 };
      const load = { ...shape, transactionsPerAbort: 0 };
      return withCpu(broker, async () => {
        await transactionLoad(broker.address, { ...load, transactions: transactions / 10 });
        const done = await transactionLoad(broker.address, { ...load, transactions });
        return { rate: done.transactions / done.seconds };
      });
    }),
  );
  const note = busyNote(rounds);
  return [{ name, unit: "per s", target, samples: samples(rounds, "rate"), note }];
}

async function readCase(bench: Bench): Promise<Measure[]> {
  const topic = bench.topicName();
  for (const side of bench.options.sides) {
    const broker = await bench.broker(side, "page-cache");
    await broker.createTopic(topic, 1);
    await transactionLoad(broker.address, {
      ...{ topic, producers: 1, transactions: bench.scaled(10_000), recordsPerTransaction },
      ...{ recordBytes: 1024, transactionsPerAbort: 10 },
    });
  }
  const rounds = await bench.rounds("read transactions", async (side) => {
    const broker = await bench.broker(side, "page-cache");
    const endOffset = await broker.endOffset(topic, 0);
    const speed = async (isCommitted: boolean) => {
      const load = { topic, partition: 0, endOffset, bytesMax: fetchBytesMax, isCommitted };
      const { bytes, seconds } = await readLoad(broker.address, load);
      return bytes / megabyte / seconds;
    };
    // Once for the page cache and the compilers.
    await speed(true);
    return withCpu(broker, async () => ({
      uncommitted: await speed(false),
      committed: await speed(true),
    }));
  });
  for (const side of bench.options.sides) {
    await (await bench.broker(side, "page-cache")).deleteTopic(topic);
  }
  const uncommitted = samples(rounds, "uncommitted");
  const committed = samples(rounds, "committed");
  const within: Target = { of: "value", atLeast: 0.9 };
  const name = "transactions read";
  const speed = { unit: "MB/s", target: undefined, note: "" };
  return [
    { name: `${name}: read_uncommitted`, ...speed, samples: uncommitted },
    { name: `${name}: read_committed`, ...speed, samples: committed },
    {
      name: `${name}: read_committed / read_uncommitted`,
      unit: "×",
      target: within,
      samples: quotients(committed, uncommitted),
      note: busyNote(rounds),
    },
  ];
}

function quotients(above: Samples, below: Samples): Samples {
  const of = (side: "timberline" | "kafka") =>
    above[side].map((value, i) => value / (below[side][i] ?? Number.NaN));
  return { timberline: of("timberline"), kafka: of("kafka") };
}

async function onNewTopic<T>(
  bench: Bench,
  side: "timberline" | "kafka",
  partitions: number,
  run: (broker: BrokerProcess, topic: string) => Promise<T>,
): Promise<T> {
  const broker = await bench.broker(side, "page-cache");
  const topic = bench.topicName();
  await broker.createTopic(topic, partitions);
  try {
    return await run(broker, topic);
  } finally {
    await broker.deleteTopic(topic);
  }
}

async function succeed(command: readonly string[]): Promise<string> {
  const end = await runProcess(command, { limitMs: javaMsMax });
  if (end.code === 0) return end.stdout;
  throw new Error(`${command.join(" ")}: exit ${end.code}\n${end.stdout}${end.stderr}`);
}
