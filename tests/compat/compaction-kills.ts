// kill -9 at random moments of cleaning, again and again on one folder, while records go on coming in: after each
// the log opens, every acknowledged record that is its key's newest is there, and nothing half-made is left.

import { readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { callInProcess } from "../cli/command-line.ts";
import { createTopic } from "../runtimes/steps.ts";
import { TestServer } from "../support/server.ts";
import { BatchTemplate, type InputSize, NewestOffsets } from "./compaction-input.ts";
import { partitionFolder } from "./compaction-left.ts";
import { readWhole, writeRange } from "./compaction-load.ts";
import type { Figures } from "./compaction-proof.ts";

export interface KillProof {
  /** `records` are those before the first kill. */
  readonly size: InputSize;
  readonly recordsPerKill: number;
  readonly kills: number;
  readonly report?: (figures: Figures) => void;
}

const topic = "killed";
const segmentBytes = 1 << 20;
const backoffMs = 20;
/** From when a cleaned segment was seen to grow. */
const delayMsMax = 40;
const beginMsMax = 10_000;
const halfMade = /\.(cleaned|swap)$/;
const never = "1.0";
const always = "0.0";

/** Queues the test; the file that calls it calls `test.run()`. */
export function proveKills(proof: KillProof): void {
  test(`${proof.kills} kills at random moments of cleaning lose nothing`, async () => {
    const run = new KillRun(proof);
    try {
      await run.begin();
      for (let kill = 0; kill < proof.kills; kill++) await run.kill();
    } finally {
      await run.end();
    }
    const { midway, written } = run;
    proof.report?.({ step: "killed", kills: proof.kills, midway, records: written });
    assert.ok(midway * 2 >= proof.kills, `${midway} of ${proof.kills} kills came midway`);
  });
}

class KillRun {
  readonly #proof: KillProof;
  readonly #template: BatchTemplate;
  readonly #newest: NewestOffsets;
  #server: TestServer | undefined;
  /** Records acknowledged so far. */
  written = 0;
  /** Kills that left a segment half made. */
  midway = 0;

  constructor(proof: KillProof) {
    this.#proof = proof;
    this.#template = new BatchTemplate(proof.size);
    this.#newest = new NewestOffsets(proof.size);
  }

  async begin(): Promise<void> {
    const args = ["--flush", "os", "--set", `log.cleaner.backoff.ms=${backoffMs}`];
    this.#server = await TestServer.start({ args });
    await createTopic(this.#server.http, topic, 1, {
      "cleanup.policy": "compact",
      "min.cleanable.dirty.ratio": never,
      "segment.bytes": String(segmentBytes),
    });
    await this.#write(this.#proof.size.records);
  }

  async end(): Promise<void> {
    await this.#server?.kill();
  }

  /** Cleans until a random moment, with records coming in; then looks at what is there, with nothing cleaning. */
  async kill(): Promise<void> {
    await this.#setRatio(always);
    await Promise.all([this.#write(this.#proof.recordsPerKill), this.#cleaning()]);
    // The cleaning under way goes on; after the restart there is none until it is wanted.
    await this.#setRatio(never);
    await pause(Math.random() * delayMsMax);
    await this.#here.kill();
    if (this.#isHalfMade()) this.midway++;
    await this.#here.restart();
    assert.not(this.#isHalfMade(), "nothing half-made is left");
    const asked = { topic, endOffset: this.written };
    await readWhole(this.#here.kafka, asked, this.#newest);
    const verified = await callInProcess(["dump", this.#folder, "--verify"]);
    assert.is(verified.code, 0, verified.stderr);
  }

  /** Resolves when a cleaned segment is being written. */
  async #cleaning(): Promise<void> {
    const endMs = performance.now() + beginMsMax;
    while (!this.#isHalfMade() && performance.now() < endMs) await pause(1);
  }

  async #setRatio(value: string): Promise<void> {
    const options = { platform: createPlatform(), bootstrap: [this.#here.bootstrap] };
    const client = createClient(options);
    const operation = { name: "min.cleanable.dirty.ratio", op: "set", value } as const;
    await client.admin().alterConfigs({ kind: "topic", name: topic }, [operation]);
    await client.close();
  }

  async #write(records: number): Promise<void> {
    const range = { topic, from: this.written, to: this.written + records };
    const input = { template: this.#template, newest: this.#newest };
    await writeRange(this.#here.kafka, range, input);
    this.written = range.to;
  }

  #isHalfMade(): boolean {
    return readdirSync(this.#folder).some((name) => halfMade.test(name));
  }

  get #folder(): string {
    return partitionFolder(this.#here.dataDir, topic);
  }

  get #here(): TestServer {
    return this.#server!;
  }
}
