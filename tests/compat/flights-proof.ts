// The proof on real input, at two sizes: all flights go in through every way and come out through every way,
// byte-identical and in order per key; also when the broker is killed (-9) under way; also when another runtime
// starts on the folder that one left, cleanly or not.

import { tmpdir } from "node:os";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { request, requestJson } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import { bun, deno, type TestRuntime } from "../support/runtimes.ts";
import { TestServer } from "../support/server.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { commandLineReader, httpReader, kcatReader, type WayOut } from "./flight-consumers.ts";
import { FlightAccount, FlightDigest } from "./flight-digest.ts";
import {
  type Acknowledged,
  commandLineWay,
  httpWay,
  kafkajsWay,
  kcatWay,
  type WayIn,
} from "./flight-producers.ts";
import { type FlightsFile, writeFlights } from "./flights.ts";

export interface Proof {
  readonly flights: number;
  readonly segmentBytes: number;
  /** All ways out for each way in; else one in turn. */
  readonly everyReader: boolean;
  /** Told how long each step took. */
  readonly report?: (step: Step) => void;
}

export interface Step {
  readonly step: string;
  readonly records: number;
  readonly durationMs: number;
}

const partitions = 4;

interface Stage {
  file: FlightsFile;
  server: TestServer;
}

/** Queues the proof's tests, in their order; the file that calls it calls `test.run()`. */
export function proveFlights(proof: Proof): void {
  const kcat = findTool("kcat");
  const waysIn = [...(kcat ? [kcatWay(kcat)] : []), commandLineWay, kafkajsWay, httpWay];
  const waysOut = [...(kcat ? [kcatReader(kcat)] : []), commandLineReader, httpReader];
  const prover = new Prover(proof, waysOut);

  test.before(() => prover.begin());
  test.after(() => prover.end());
  for (const [i, way] of waysIn.entries()) {
    const readers = proof.everyReader ? waysOut : [waysOut[i % waysOut.length]!];
    const names = readers.map(({ name }) => name).join(", ");
    test(`${way.name} puts ${proof.flights} flights in, and ${names} out`, () =>
      prover.through(way, readers));
  }
  for (const [i, way] of waysIn.entries()) {
    test(`${way.name} loses nothing that was acknowledged before kill -9`, () =>
      prover.throughKill(way, waysOut[i % waysOut.length]!));
  }
  for (const [i, runtime] of [deno(), bun()].entries()) {
    const stop = i === 0 ? "clean stop" : "kill -9";
    test(`${runtime.name} serves the same flights after a ${stop} of the runtime before`, () =>
      prover.onRuntime(runtime, waysIn, i));
  }
}

class Prover {
  readonly #proof: Proof;
  readonly #waysOut: readonly WayOut[];
  #stage: Stage | undefined;

  constructor(proof: Proof, waysOut: readonly WayOut[]) {
    this.#proof = proof;
    this.#waysOut = waysOut;
  }

  async begin(): Promise<void> {
    const server = await TestServer.start();
    const { flights } = this.#proof;
    await this.#timed("parquet to lines", flights, async () => {
      const folder = tempFolder("flights");
      this.#stage = { server, file: await writeFlights(folder, { count: flights, partitions }) };
    });
  }

  async end(): Promise<void> {
    await this.#stage?.server.kill();
  }

  async through(way: WayIn, readers: readonly WayOut[]): Promise<void> {
    const { server, file } = this.#here();
    const topic = topicOf(way);
    await this.#createTopic(topic);
    await this.#timed(`in ${way.name}`, file.count, () => way.produce({ server, topic, file }));
    for (const out of readers) await this.#expectAll(way, out);
  }

  async throughKill(way: WayIn, out: WayOut): Promise<void> {
    const { server, file } = this.#here();
    const topic = `${topicOf(way)}-killed`;
    await this.#createTopic(topic);
    const afterFlights = Math.floor(file.count * (0.05 + 0.8 * Math.random()));
    const run = async (): Promise<void> => {
      await server.kill();
      await server.restart();
    };
    const name = `in ${way.name}, killed after ${afterFlights}`;
    let acknowledged: Acknowledged = null;
    await this.#timed(name, file.count, async () => {
      acknowledged = await way.produce({ server, topic, file, cut: { afterFlights, run } });
    });
    await this.#expectAccounted(way, { topic, out, acknowledged });
  }

  /** The folder goes on to the next runtime; each takes some records in, too. */
  async onRuntime(runtime: TestRuntime, waysIn: readonly WayIn[], turn: number): Promise<void> {
    const { server: before, file } = this.#here();
    if (turn === 0) assert.is((await before.stop()).code, 0);
    else await before.kill();
    const server = await TestServer.start({ runtime, dataDir: before.dataDir });
    this.#stage = { server, file };
    for (const [i, way] of waysIn.entries()) {
      await this.#expectAll(way, this.#waysOut[(i + turn + 1) % this.#waysOut.length]!);
    }
    const way = waysIn[turn % waysIn.length]!;
    const topic = `flights-${runtime.name}-${way.name}`;
    await this.#createTopic(topic);
    await this.#timed(`in ${way.name} to ${runtime.name}`, file.count, () =>
      way.produce({ server, topic, file }),
    );
    await this.#expectAll(way, this.#waysOut[turn % this.#waysOut.length]!, topic);
  }

  async #expectAll(way: WayIn, out: WayOut, topic = topicOf(way)): Promise<void> {
    const { server, file } = this.#here();
    const seen = new FlightDigest(way);
    const name = `out ${out.name} on ${server.runtime.name}, from ${way.name}`;
    await this.#timed(name, file.count, () => out.consume(server, topic, seen));
    expected(file, way).expectSame(seen, name);
  }

  async #expectAccounted(
    way: WayIn,
    { topic, out, acknowledged }: { topic: string; out: WayOut; acknowledged: Acknowledged },
  ): Promise<void> {
    const { server, file } = this.#here();
    const seen = new FlightDigest(way);
    const stored = await endOffsets(server, topic);
    // Idempotent producers leave nothing twice: then all that is stored was acknowledged.
    const cuts = file.counts.map((wanted, p) => {
      const known = acknowledged === null ? wanted : acknowledged[p]!.acknowledged;
      return { wanted, acknowledged: known, stored: stored[p]! };
    });
    const account = new FlightAccount(seen, cuts);
    const name = `out ${out.name}, from ${way.name} killed`;
    await this.#timed(name, file.count, () => out.consume(server, topic, account));
    expected(file, way).expectSame(seen, name);
    if (acknowledged === null) assert.equal(stored, file.counts);
    this.#proof.report?.({ step: `twice: ${name}`, records: account.duplicates, durationMs: 0 });
  }

  async #createTopic(name: string): Promise<void> {
    const configs = { "retention.ms": "-1", "segment.bytes": String(this.#proof.segmentBytes) };
    await request(`${this.#here().server.http}/v1/topics`, { body: { name, partitions, configs } });
  }

  async #timed(step: string, records: number, run: () => Promise<unknown>): Promise<void> {
    const startMs = performance.now();
    await run();
    const durationMs = Math.round(performance.now() - startMs);
    this.#proof.report?.({ step, records, durationMs });
  }

  #here(): Stage {
    if (this.#stage === undefined) throw new Error(`nothing was prepared in ${tmpdir()}`);
    return this.#stage;
  }
}

function topicOf(way: WayIn): string {
  return `flights-${way.name}`;
}

function expected(file: FlightsFile, way: WayIn): FlightDigest {
  return way.withTime ? file.timed : file.untimed;
}

async function endOffsets(server: TestServer, topic: string): Promise<number[]> {
  const url = `${server.http}/v1/topics/${topic}/offsets?at=latest`;
  const { offsets } = await requestJson<{ offsets: { partition: number; offset: number }[] }>(url);
  return offsets.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);
}
