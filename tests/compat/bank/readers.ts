// The auditors of the bank: readers that see committed records only, those who read it all again from the start and
// one who follows from the beginning on, over every death of the broker; and the one who sees everything.

import { requestJson } from "../../support/http-client.ts";
import type { TestServer } from "../../support/server.ts";
import type { KafkaTools } from "../kafka-tools.ts";
import { runWhole, StreamingProcess } from "../streaming-process.ts";
import type { Seen } from "./history.ts";

export type Isolation = "read_committed" | "read_uncommitted";

export interface Reader {
  readonly name: string;
  /** All that is there now. */
  read(server: TestServer, topics: readonly string[]): Promise<Seen[]>;
}

const stableMsMax = 30_000;
const followMsMax = 30_000;
const pollMs = 50;
const format = ["-q", "-f", "%t %p %o %k %s\\n"];
/** How long Kafka's console consumer waits for the next record before it gives up. */
const consoleMsMax = "45000";

/** Resolves when no transaction is open: every one of a dead teller was aborted. */
export async function untilStable(server: TestServer, topics: readonly string[]): Promise<void> {
  const endMs = performance.now() + stableMsMax;
  for (;;) {
    const all = await Promise.all(topics.map((topic) => endsOf(server, topic, "read_uncommitted")));
    const stable = await Promise.all(
      topics.map((topic) => endsOf(server, topic, "read_committed")),
    );
    if (JSON.stringify(all) === JSON.stringify(stable)) return;
    if (performance.now() > endMs) throw new Error("a transaction stays open");
    await pause();
  }
}

export async function readHttp(
  server: TestServer,
  topics: readonly string[],
  isolation: Isolation,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const topic of topics) {
    const query = `format=ndjson&offset=earliest&isolation=${isolation}`;
    const answer = await fetch(`${server.http}/v1/topics/${topic}/records?${query}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    for (const line of text.split("\n").filter((each) => each !== "")) {
      const { partition, offset, key, value, error } = JSON.parse(line);
      if (error !== undefined) throw new Error(`the stream ended with ${line}`);
      seen.push(seenOf([topic, partition, offset, key, ...value.split(" ")]));
    }
  }
  return seen;
}

export const httpReader: Reader = {
  name: "http",
  read: (server, topics) => readHttp(server, topics, "read_committed"),
};

export function kcatReader(kcat: string): Reader {
  return {
    name: "kcat",
    async read(server, topics) {
      const seen: Seen[] = [];
      for (const topic of topics) {
        const command = [kcat, "-C", "-e", "-b", server.bootstrap, "-t", topic, ...format];
        const end = await runWhole([...command, "-X", "isolation.level=read_committed"]);
        if (end.code !== 0) throw new Error(`kcat: ${end.stderr}`);
        seen.push(...linesOf(end.stdout).map((line) => seenOf(line.split(" "))));
      }
      return seen;
    },
  };
}

/** Kafka's console consumer. It knows no end: it reads as many records as others see. */
export function consoleReader(tools: KafkaTools): Reader {
  return {
    name: "ConsoleConsumer",
    async read(server, topics) {
      const seen: Seen[] = [];
      for (const topic of topics) {
        const seenByHttp = await readHttp(server, [topic], "read_committed");
        const shown = ["partition", "offset", "key"].flatMap((name) => [
          "--property",
          `print.${name}=true`,
        ]);
        const end = await tools.listen("org.apache.kafka.tools.consumer.ConsoleConsumer", [
          ...["--bootstrap-server", server.bootstrap, "--topic", topic, "--from-beginning"],
          ...["--isolation-level", "read_committed", "--timeout-ms", consoleMsMax, ...shown],
          ...["--max-messages", String(seenByHttp.length)],
        ]);
        if (end.code !== 0) throw new Error(`ConsoleConsumer: ${end.stderr}`);
        for (const line of linesOf(end.stdout)) {
          const [partition, offset, key, value = ""] = line.split("\t");
          const numbers = [partition, offset].map((text) => text?.replace(/^\w+:/, ""));
          seen.push(seenOf([topic, ...numbers, key, ...value.split(" ")]));
        }
      }
      return seen;
    },
  };
}

/** Follows the topics with kcat from the beginning on; keeps what it sees in its order. */
export class Follower {
  readonly seen: Seen[] = [];
  readonly #children: StreamingProcess[];
  readonly #reading: Promise<unknown>;

  constructor(kcat: string, server: TestServer, topics: readonly string[]) {
    const settings = ["isolation.level=read_committed", "reconnect.backoff.max.ms=500"];
    const flags = settings.flatMap((each) => ["-X", each]);
    // -E: the broker's end is no reason to stop.
    this.#children = topics.map(
      (topic) =>
        new StreamingProcess(
          [kcat, "-C", "-E", "-u", "-b", server.bootstrap, "-t", topic].concat(format, flags),
        ),
    );
    this.#reading = Promise.all(this.#children.map((child) => this.#read(child)));
    this.#reading.catch(() => {});
  }

  /** Waits until it has seen that many records, or long enough, and ends it. */
  async end(records: number): Promise<readonly Seen[]> {
    const endMs = performance.now() + followMsMax;
    while (this.seen.length < records && performance.now() < endMs) await pause();
    for (const child of this.#children) child.kill("SIGKILL");
    await this.#reading;
    return this.seen;
  }

  async #read(child: StreamingProcess): Promise<void> {
    let rest = "";
    for await (const chunk of child.output()) {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.seen.push(seenOf(line.split(" ")));
    }
  }
}

/** Topic, partition, offset, account, id, amount. */
function seenOf(words: readonly unknown[]): Seen {
  const [topic, partition, offset, account, id, amount] = words.map(String);
  const numbers = [partition, offset, amount].map(Number);
  if (words.length !== 6 || numbers.some(Number.isNaN)) throw new Error(`no record: ${words}`);
  return {
    topic: topic!,
    partition: numbers[0]!,
    offset: numbers[1]!,
    account: account!,
    id: id!,
    amount: numbers[2]!,
  };
}

async function endsOf(server: TestServer, topic: string, isolation: Isolation) {
  const url = `${server.http}/v1/topics/${topic}/offsets?at=latest&isolation=${isolation}`;
  return (await requestJson<{ offsets: unknown }>(url)).offsets;
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}
