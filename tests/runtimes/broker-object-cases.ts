// What only a log has whose partitions lie in objects of their own: each object's limits are its own, and what spans
// several of them (a transaction, a group's offsets, a kill) is still one.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as assert from "uvu/assert";
import { createClient } from "../../runtime/client/mod.ts";
import { createPlatform } from "../../runtime/platforms/node.ts";
import { request, requestJson } from "../support/http-client.ts";
import { findTool } from "../support/missing-tool.ts";
import type { Case, Given } from "./case.ts";
import { createTopic, fetchAll, recordsUrl, values } from "./steps.ts";

interface Described {
  readonly partitions: readonly { readonly partition: number; readonly leader: number }[];
}

const PARTITIONS = 6;
const LOOKS_MAX = 100;
const LOOK_EVERY_MS = 50;
const kcat = findTool("kcat");

export const brokerObjectCases: readonly Case[] = [
  {
    name: "keeps partitions in different objects, and finds each from any",
    async run({ http, server }) {
      await createTopic(http, "spread", PARTITIONS);
      await fill(http, "spread");
      const { partitions } = await requestJson<Described>(`${http}/v1/topics/spread`);
      assert.equal([...new Set(partitions.map(({ leader }) => leader))].sort(), [0, 1, 2]);
      const databases = readdirSync(join(server.dataDir, "TimberlineLog"));
      // Three brokers and their metadata; workerd keeps one for itself.
      assert.is(databases.filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)).length, 4);
      await demandAll(http, "spread");
    },
  },
  {
    name: "has every acknowledged record, topic and leader after kill -9 of all objects",
    async run({ http, server }) {
      await createTopic(http, "felled", PARTITIONS);
      await fill(http, "felled");
      await server.kill();
      await server.restart();
      await demandAll(http, "felled");
      await fill(http, "felled");
      const { records } = await fetchAll(http, "felled", 3);
      assert.equal(
        records.map(({ offset, value }) => [offset, value]),
        [
          [0, "of 3"],
          [1, "of 3"],
        ],
      );
    },
  },
  {
    name: "commits and aborts transactions over partitions and a group of several objects",
    run: transactions,
  },
  ...(kcat === undefined
    ? []
    : [
        {
          name: "gives kcat all partitions of a topic",
          async run({ http, kafka }: Given) {
            await createTopic(http, "catted", PARTITIONS);
            await fill(http, "catted");
            const bootstrap = `${kafka.host}:${kafka.port}`;
            const args = ["-b", bootstrap, "-t", "catted", "-C", "-e", "-q"];
            const { stdout } = spawnSync(kcat, args, { encoding: "utf8", timeout: 20_000 });
            assert.equal(stdout.trim().split("\n").sort(), expected());
          },
        },
      ]),
];

async function transactions({ http, kafka }: Given): Promise<void> {
  await createTopic(http, "booked", PARTITIONS);
  const bootstrap = [`${kafka.host}:${kafka.port}`];
  const client = createClient({ platform: createPlatform(), bootstrap });
  try {
    for (const [index, isKept] of [false, true, false, true].entries()) {
      const producer = client.transactionalProducer({ transactionalId: `books-${index}` });
      const transaction = await producer.begin();
      for (let partition = 0; partition < PARTITIONS; partition++) {
        void transaction.send({ topic: "booked", partition, value: `${index}` });
      }
      await (isKept ? transaction.commit() : transaction.abort());
      await producer.close();
    }
  } finally {
    await client.close();
  }
  for (let partition = 0; partition < PARTITIONS; partition++) {
    // A commit is decided when it is answered; readers see it once its marker stands in the partition.
    let seen = await committed(http, partition);
    for (let turn = 0; turn < LOOKS_MAX && seen.length < 2; turn++) {
      await sleep(LOOK_EVERY_MS);
      seen = await committed(http, partition);
    }
    assert.equal(seen, ["1", "3"]);
  }
}

async function committed(http: string, partition: number): Promise<(string | null)[]> {
  const url = `${recordsUrl(http, "booked", partition)}?offset=earliest&isolation=read_committed`;
  return values(await requestJson(url));
}

async function fill(http: string, topic: string): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    await request(recordsUrl(http, topic, partition), { body: { value: `of ${partition}` } });
  }
}

async function demandAll(http: string, topic: string): Promise<void> {
  const all: (string | null)[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    all.push(...values(await fetchAll(http, topic, partition)));
  }
  assert.equal(all, expected());
}

function expected(): string[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => `of ${partition}`);
}
