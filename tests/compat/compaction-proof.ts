// The proof of compaction, at two sizes: a topic of many records over few keys holds the newest of each after it was
// cleaned; cleaning is fast, in bounded memory, and leaves its time to producers.

import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Admin, type Client, createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { produceLoad } from "../bench/load/produce-load.ts";
import { chooseCores, onServerCores, pinMyself, residentBytes } from "../bench/process-figures.ts";
import { createTopic } from "../runtimes/steps.ts";
import { request } from "../support/http-client.ts";
import { currentNode, type TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { BatchTemplate, type InputSize, NewestOffsets } from "./compaction-input.ts";
import { activeOffset, cleanedWhole, isCleanedWhole, partitionFolder } from "./compaction-left.ts";
import { readWhole, type Seen, writeRange } from "./compaction-load.ts";

export interface Proof {
  readonly size: InputSize;
  readonly segmentBytes: number;
  /** Producing alone and beside cleaning, so many times each; 0: not measured. */
  readonly rounds: number;
  readonly loadBytes: number;
  /** What must be reached; a small run measures nothing. */
  readonly targets?: Targets;
  readonly report?: (figures: Figures) => void;
}

export interface Targets {
  /** Of the log, both passes over it counted as one. */
  readonly cleanedBytesPerSecondMin: number;
  /** Above what the broker had before. */
  readonly residentGrowthBytesMax: number;
  /** Of producing beside cleaning, to producing alone. */
  readonly produceRatioMin: number;
}

export interface Figures {
  readonly step: string;
  readonly [figure: string]: number | string | readonly number[];
}

const backoffMs = 100;
const lookMs = 50;
/** What rests for its limit has looked at it again. */
const lookedAtMs = 120;
/** A byte a second: what is under way stands still. */
const stopped = "1";
const unlimited = String(Number.MAX_VALUE);
const never = "1.0";
const always = "0.0";
const cleanMsMax = 900_000;
const loadTopic = "load";

/** Queues the proof's tests; the file that calls it calls `test.run()`. */
export function proveCompaction(proof: Proof): void {
  const prover = new Prover(proof);
  const { records, keys } = proof.size;
  test.before(() => prover.begin());
  test.after(() => prover.end());
  test(`${records} records over ${keys} keys are compacted to the newest of each key`, () =>
    prover.cleansWhole());
  if (proof.rounds > 0) {
    test("producers keep their rate while another topic is cleaned", () => prover.cleansBeside());
  }
}

class Prover {
  readonly #proof: Proof;
  readonly #template: BatchTemplate;
  #server: TestServer | undefined;
  #client: Client | undefined;

  constructor(proof: Proof) {
    this.#proof = proof;
    this.#template = new BatchTemplate(proof.size);
  }

  async begin(): Promise<void> {
    const args = ["--flush", "os", "--set", `log.cleaner.backoff.ms=${backoffMs}`];
    const options = this.#proof.rounds > 0 ? { args, runtime: pinned() } : { args };
    this.#server = await TestServer.start(options);
    const platform = createPlatform();
    this.#client = createClient({ platform, bootstrap: [this.#server.bootstrap] });
  }

  async end(): Promise<void> {
    await this.#client?.close();
    await this.#server?.kill();
  }

  async cleansWhole(): Promise<void> {
    const topic = "whole";
    const newest = await this.#fill(topic);
    const { pid } = this.#here.process;
    const residentBefore = residentBytes(pid) ?? 0;
    await this.#setRatio(topic, always);
    let residentMost = residentBefore;
    const watch = setInterval(() => {
      residentMost = Math.max(residentMost, residentBytes(pid) ?? 0);
    }, lookMs);
    await this.#cleaned(topic).finally(() => clearInterval(watch));
    const bytes = this.#cleanedBytes(topic);
    const seconds = await this.#metric("cleaner_seconds_total");
    const seen = await this.#readsNewest(topic, newest);
    const residentGrowthBytes = residentMost - residentBefore;
    this.#proof.report?.({
      step: "cleaned",
      records: this.#proof.size.records,
      keys: newest.distinct,
      logBytes: bytes,
      seconds,
      cleanedBytesPerSecond: bytes / seconds,
      readBytesPerSecond: (await this.#metric("cleaner_read_bytes_total")) / seconds,
      residentBefore,
      residentGrowthBytes,
      recordsLeft: seen.records,
      bytesLeft: seen.bytes,
    });
    const { targets } = this.#proof;
    if (targets === undefined) return;
    assert.ok(bytes / seconds >= targets.cleanedBytesPerSecondMin, `${bytes} B in ${seconds} s`);
    assert.ok(
      residentGrowthBytes <= targets.residentGrowthBytesMax,
      `memory grew by ${residentGrowthBytes} B`,
    );
  }

  /** The cleaner stands still and runs in turn, beside the same load on another topic. */
  async cleansBeside(): Promise<void> {
    const topic = "beside";
    const newest = await this.#fill(topic);
    const retention = { "retention.bytes": String(1 << 28), "file.delete.delay.ms": "0" };
    const small = { "segment.bytes": String(1 << 26) };
    await createTopic(this.#here.http, loadTopic, 1, { ...small, ...retention });
    await this.#setLimit(stopped);
    await this.#setRatio(topic, always);
    // The first load of a process is slower.
    await this.#load();
    const rounds: { alone: number; beside: number; read: number }[] = [];
    while (rounds.length < this.#proof.rounds && !isCleanedWhole(this.#here.dataDir, topic)) {
      const isAloneFirst = rounds.length % 2 === 0;
      const first = await (isAloneFirst ? this.#load() : this.#loadBeside());
      const second = await (isAloneFirst ? this.#loadBeside() : this.#load());
      const [alone, beside] = isAloneFirst ? [first, second] : [second, first];
      rounds.push({ alone: alone.rate, beside: beside.rate, read: beside.read });
    }
    await this.#setLimit(unlimited);
    await this.#cleaned(topic);
    await this.#readsNewest(topic, newest);
    const ratios = rounds.map(({ alone, beside }) => beside / alone);
    this.#proof.report?.({
      step: "beside",
      ratio: median(ratios),
      ratios,
      aloneBytesPerSecond: median(rounds.map(({ alone }) => alone)),
      besideBytesPerSecond: median(rounds.map(({ beside }) => beside)),
      cleanerReadBytesPerSecond: median(rounds.map(({ read }) => read)),
    });
    assert.ok(rounds.length >= 3, `${rounds.length} rounds fit into the cleaning`);
    assert.ok(
      rounds.every(({ read }) => read > 0),
      "the cleaner was at work in each",
    );
    const least = this.#proof.targets?.produceRatioMin ?? 0;
    assert.ok(median(ratios) >= least, `producing beside cleaning: ${median(ratios)} of alone`);
  }

  async #loadBeside(): Promise<{ rate: number; read: number }> {
    await this.#setLimit(unlimited);
    await pause(lookedAtMs);
    const before = await this.#metric("cleaner_read_bytes_total");
    const { rate, seconds } = await this.#load();
    const after = await this.#metric("cleaner_read_bytes_total");
    await this.#setLimit(stopped);
    await pause(lookMs);
    return { rate, read: (after - before) / seconds };
  }

  async #load(): Promise<{ rate: number; seconds: number; read: number }> {
    const shape = { topic: loadTopic, partitions: 1, connections: 2, inFlight: 5 };
    const sizes = { batchBytes: 65_536, recordBytes: 100, totalBytes: this.#proof.loadBytes };
    const { bytes, seconds } = await produceLoad(this.#here.kafka, { ...shape, ...sizes });
    return { rate: bytes / seconds, seconds, read: 0 };
  }

  async #fill(topic: string): Promise<NewestOffsets> {
    const { size, segmentBytes } = this.#proof;
    const policy = { "cleanup.policy": "compact", "min.cleanable.dirty.ratio": never };
    const segments = { "segment.bytes": String(segmentBytes) };
    await createTopic(this.#here.http, topic, 1, { ...policy, ...segments });
    const newest = new NewestOffsets(size);
    const range = { topic, from: 0, to: size.records };
    await writeRange(this.#here.kafka, range, { template: this.#template, newest });
    return newest;
  }

  async #readsNewest(topic: string, newest: NewestOffsets): Promise<Seen> {
    const { records } = this.#proof.size;
    const seen = await readWhole(this.#here.kafka, { topic, endOffset: records }, newest);
    const active = activeOffset(partitionFolder(this.#here.dataDir, topic));
    assert.ok(seen.outdated <= records - active, `${seen.outdated} outdated records are left`);
    return seen;
  }

  #cleaned(topic: string): Promise<void> {
    return cleanedWhole(this.#here.dataDir, { topic, limitMs: cleanMsMax });
  }

  /** Of whole batches below the active segment, as they were written. */
  #cleanedBytes(topic: string): number {
    const active = activeOffset(partitionFolder(this.#here.dataDir, topic));
    return (active / this.#proof.size.batchRecords) * this.#template.bytes;
  }

  async #metric(name: string): Promise<number> {
    const text = await (await request(`${this.#here.http}/metrics`)).text();
    return Number(new RegExp(`^timberline_${name} (\\S+)`, "m").exec(text)?.[1]);
  }

  #setRatio(name: string, value: string): Promise<void> {
    const operation = { name: "min.cleanable.dirty.ratio", op: "set", value } as const;
    return this.#admin.alterConfigs({ kind: "topic", name }, [operation]);
  }

  #setLimit(value: string): Promise<void> {
    const operation = { name: "log.cleaner.io.max.bytes.per.second", op: "set", value } as const;
    return this.#admin.alterConfigs({ kind: "broker", broker: null }, [operation]);
  }

  get #admin(): Admin {
    return this.#client!.admin();
  }

  get #here(): TestServer {
    return this.#server!;
  }
}

/** This process and the broker on halves of the cores, where that can be. */
function pinned(): TestRuntime {
  const node = currentNode();
  const cores = chooseCores();
  if (cores !== undefined) pinMyself(cores);
  const command = (script: string, ...args: string[]) =>
    onServerCores(node.command(script, ...args), cores);
  return { ...node, command };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
