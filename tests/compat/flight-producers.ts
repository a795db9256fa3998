// The ways in: kcat, our command line, kafkajs and the HTTP door, each fed with the same flights. Any of them can
// be cut by a kill -9 of the broker under way; kcat and the command line are idempotent and go on by themselves,
// with kafkajs and HTTP the caller sends again what was not acknowledged.

import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { currentNode } from "../support/runtimes.ts";
import { sourceEntry, type TestServer } from "../support/server.ts";
import type { CutPartition } from "./flight-digest.ts";
import {
  type FlightsFile,
  keyColumn,
  parseFlights,
  partitionOfKey,
  readChunks,
} from "./flights.ts";
import { StreamingProcess } from "./streaming-process.ts";

/** A kill -9 of the broker, at once after so many flights were handed to the client. */
export interface Cut {
  readonly afterFlights: number;
  /** Kills the broker and starts it again; called once. */
  readonly run: () => Promise<void>;
}

export interface ProduceCall {
  readonly server: TestServer;
  readonly topic: string;
  readonly file: FlightsFile;
  readonly cut?: Cut;
}

/** Per partition what was acknowledged when the broker was killed; null for those who sent nothing twice. */
export type Acknowledged = Pick<CutPartition, "acknowledged">[] | null;

export interface WayIn {
  readonly name: string;
  /** kcat cannot say a record's time. */
  readonly withTime: boolean;
  /** Resolves when all flights are acknowledged. */
  produce(call: ProduceCall): Promise<Acknowledged>;
}

/** Runs the cut when its moment has come. */
class CutTrigger {
  readonly #cut: Cut | undefined;
  #flights = 0;
  done: Promise<void> | undefined;

  constructor(cut: Cut | undefined) {
    this.#cut = cut;
  }

  /** Says whether the cut began with these flights. */
  passed(flights: number): boolean {
    this.#flights += flights;
    if (this.#cut === undefined || this.done !== undefined) return false;
    if (this.#flights < this.#cut.afterFlights) return false;
    this.done = this.#cut.run();
    // Who awaits `done` later sees the failure.
    this.done.catch(() => {});
    return true;
  }

  async settle(): Promise<void> {
    if (this.#cut === undefined) return;
    if (this.done === undefined) throw new Error("all flights went in before the cut");
    await this.done;
  }
}

export function kcatWay(kcat: string): WayIn {
  return {
    name: "kcat",
    withTime: false,
    async produce({ server, topic, file, cut }) {
      const trigger = new CutTrigger(cut);
      const settings = ["topic.partitioner=murmur2_random", "enable.idempotence=true"];
      const flags = settings.flatMap((setting) => ["-X", setting]);
      // -E: the broker's end is no reason to stop.
      const command = [kcat, "-E", "-P", "-b", server.bootstrap, "-t", topic, "-K", "\t", ...flags];
      await new StreamingProcess(command).feed(keyedLines(file, trigger));
      await trigger.settle();
      return null;
    },
  };
}

export const commandLineWay: WayIn = {
  name: "timberline",
  withTime: true,
  async produce({ server, topic, file, cut }) {
    const trigger = new CutTrigger(cut);
    const flags = ["-b", server.bootstrap, "-f", "%T\\t%k\\t%s\\n", "-o", "json", "-q"];
    const command = currentNode().command(sourceEntry, "produce", topic, ...flags);
    const said = await new StreamingProcess(command).feed(timedLines(file, trigger));
    const { records } = JSON.parse(said) as { records: number };
    if (records !== file.count) throw new Error(`${records} records acknowledged: ${said}`);
    await trigger.settle();
    return null;
  },
};

async function* timedLines(file: FlightsFile, trigger: CutTrigger): AsyncGenerator<Uint8Array> {
  for await (const chunk of readChunks(file)) {
    yield chunk;
    trigger.passed(countLines(chunk));
  }
}

/** `key TAB json` lines. */
async function* keyedLines(file: FlightsFile, trigger: CutTrigger): AsyncGenerator<Uint8Array> {
  for await (const chunk of readChunks(file)) {
    const out = Buffer.allocUnsafe(chunk.length);
    let size = 0;
    let lines = 0;
    for (let at = 0; at < chunk.length; lines += 1) {
      const end = chunk.indexOf(0x0a, at) + 1;
      size += chunk.copy(out, size, at + keyColumn, end);
      at = end;
    }
    yield out.subarray(0, size);
    trigger.passed(lines);
  }
}

function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}

export const kafkajsWay: WayIn = {
  name: "kafkajs",
  withTime: true,
  async produce({ server, topic, file, cut }) {
    const trigger = new CutTrigger(cut);
    const acks = new PartitionAcks(file);
    let producer = await openProducer(server);
    for await (const chunk of readChunks(file)) {
      const messages = parseFlights(chunk).map(({ key, timestampMs, line }) => {
        return { key, value: line, timestamp: String(timestampMs) };
      });
      const sending = producer.send({ topic, messages });
      const isCut = trigger.passed(messages.length);
      const counts = acks.countsOf(messages.map(({ key }) => key));
      if (!isCut) {
        acks.add(await sending, counts);
        continue;
      }
      const sent = await sending.catch(() => null);
      await trigger.done;
      // Its connections are gone, also where the answer came before the kill.
      await producer.disconnect().catch(() => {});
      producer = await openProducer(server);
      if (sent === null) acks.cut();
      acks.add(sent ?? (await producer.send({ topic, messages })), counts);
    }
    await producer.disconnect();
    await trigger.settle();
    return cut === undefined ? null : acks.result();
  },
};

async function openProducer(server: TestServer) {
  const retry = { retries: 0 };
  const client = new Kafka({ brokers: [server.bootstrap], logLevel: logLevel.NOTHING, retry });
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  return producer;
}

/** What the broker acknowledged, checked: each partition's offsets go up without gaps, but for one cut. */
class PartitionAcks {
  readonly #partitions: number;
  readonly #next: number[];
  readonly #acknowledged: number[];
  #beforeCut: number[] | undefined;
  readonly #jumped: Set<number> = new Set();

  constructor(file: FlightsFile) {
    this.#partitions = file.counts.length;
    this.#next = file.counts.map(() => 0);
    this.#acknowledged = file.counts.map(() => 0);
  }

  countsOf(keys: readonly string[]): number[] {
    const counts = new Array<number>(this.#partitions).fill(0);
    for (const key of keys) counts[partitionOfKey(key, this.#partitions)]! += 1;
    return counts;
  }

  add(
    sent: readonly { partition: number; errorCode: number; baseOffset?: string }[],
    counts: readonly number[],
  ): void {
    for (const { partition, errorCode, baseOffset } of sent) {
      if (errorCode !== 0) throw new Error(`partition ${partition}: error ${errorCode}`);
      const start = Number(baseOffset);
      this.acknowledge({ partition, start, end: start + counts[partition]! });
    }
  }

  acknowledge({ partition, start, end }: { partition: number; start: number; end: number }): void {
    const next = this.#next[partition]!;
    const mayJump = this.#beforeCut !== undefined && !this.#jumped.has(partition);
    if (start < next || (start > next && !mayJump)) {
      throw new Error(`partition ${partition}: acknowledged from ${start} on, after ${next}`);
    }
    if (this.#beforeCut !== undefined) this.#jumped.add(partition);
    this.#next[partition] = end;
    this.#acknowledged[partition]! += end - start;
  }

  /** From here on records are sent again. */
  cut(): void {
    this.#beforeCut = [...this.#acknowledged];
  }

  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  result(): Pick<CutPartition, "acknowledged">[] {
    const before = this.#beforeCut ?? this.#acknowledged;
    return before.map((acknowledged) => ({ acknowledged }));
  }
}

export const httpWay: WayIn = {
  name: "http",
  withTime: true,
  async produce({ server, topic, file, cut }) {
    const trigger = new CutTrigger(cut);
    const acks = new PartitionAcks(file);
    const isWhole = await postLines(server, topic, acks, recordLines(file, trigger, null));
    if (!isWhole) {
      await trigger.settle();
      acks.cut();
      const skip = [...acks.acknowledged];
      if (!(await postLines(server, topic, acks, recordLines(file, trigger, skip)))) {
        throw new Error("the second stream was cut too");
      }
    }
    const total = acks.acknowledged.reduce((sum, each) => sum + each, 0);
    if (total !== file.count) throw new Error(`${total} records acknowledged`);
    await trigger.settle();
    return cut === undefined ? null : acks.result();
  },
};

/** Records as NDJSON; of each partition without the first `skip`. */
async function* recordLines(
  file: FlightsFile,
  trigger: CutTrigger,
  skip: number[] | null,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of readChunks(file)) {
    let text = "";
    const flights = parseFlights(chunk);
    for (const { key, timestampMs, line } of flights) {
      const partition = skip === null ? 0 : partitionOfKey(key, skip.length);
      if (skip !== null && skip[partition]! > 0) {
        skip[partition]! -= 1;
        continue;
      }
      text += `{"key":"${key}","value":${JSON.stringify(line)},"timestamp":${timestampMs}}\n`;
    }
    if (text !== "") yield Buffer.from(text);
    trigger.passed(flights.length);
  }
}

interface AckLine {
  readonly partition?: number;
  readonly start_offset: number;
  readonly end_offset: number;
  readonly stored?: object;
  readonly error?: object;
}

/** One POST of a stream whose answer is a stream of acknowledgements. False if the connection was cut. */
async function postLines(
  server: TestServer,
  topic: string,
  acks: PartitionAcks,
  lines: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const type = "application/x-ndjson";
  const request = httpRequest(`${server.http}/v1/topics/${topic}/records`, {
    method: "POST",
    headers: { "content-type": type, accept: type },
  });
  let isCut = false;
  let wake = (): void => {};
  request.on("drain", () => wake()).on("close", () => wake());
  request.on("error", () => {
    isCut = true;
    wake();
  });
  const answered = readAcks(request, acks).catch((error: Error & { code?: string }) => {
    if (error.code === undefined) throw error;
    isCut = true;
    wake();
    return false;
  });
  for await (const bytes of lines) {
    if (isCut) break;
    if (request.write(bytes) || request.destroyed) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  if (!isCut) request.end();
  return answered;
}

async function readAcks(
  request: ReturnType<typeof httpRequest>,
  acks: PartitionAcks,
): Promise<boolean> {
  const [response] = await once(request, "response");
  let rest = "";
  for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
    const texts = (rest + chunk).split("\n");
    rest = texts.pop() ?? "";
    for (const text of texts) {
      const ack = JSON.parse(text) as AckLine;
      if (ack.error !== undefined) throw new Error(`the stream ended with ${text}`);
      if (ack.stored !== undefined) return true;
      acks.acknowledge({ partition: ack.partition!, start: ack.start_offset, end: ack.end_offset });
    }
  }
  return false;
}
