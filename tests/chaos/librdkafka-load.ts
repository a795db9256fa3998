// librdkafka in a run: a producer and a group consumer in Python (`librdkafka_load.py`), kcat, and its own load
// generator, whose records are only counted.

import { join } from "node:path";
import type { SendEntry } from "../sim/history.ts";
import { TestProcess } from "../support/processes.ts";
import { projectFolder } from "../support/project.ts";
import { pause } from "./fleet.ts";
import type { LoadClient, LoadPlace, Notebook } from "./load.ts";

const script = join(projectFolder, "tests/chaos/librdkafka_load.py");
const stopMsMax = 90_000;
const kcatRecords = 60;
const kcatPauseMs = 1_000;

/** What the script writes, a line each. */
interface Said {
  /** So many were sent, in all. */
  readonly sent?: number;
  /** Number and offset. */
  readonly acks?: readonly (readonly [number, number])[];
  readonly failed?: readonly (readonly [number, string])[];
  readonly session?: number;
  readonly polls?: readonly (readonly [number, readonly (readonly [number, string])[]])[];
  readonly commits?: readonly (readonly [number, number])[];
  readonly error?: string;
}

export function librdkafkaLoad(python: string, place: LoadPlace, notebook: Notebook): LoadClient {
  const name = "librdkafka";
  const told = JSON.stringify({ name, ...place, bootstrap: place.bootstrap.join() });
  const child = new TestProcess([python, script, told], { onLine: (line) => take(line) });
  const entries: SendEntry[] = [];
  const entryOf = (number: number) => {
    while (entries.length <= number) {
      const next = entries.length;
      entries.push(notebook.send(name, next, next % place.partitions));
    }
    return entries[number]!;
  };
  const take = (line: string) => {
    const said = JSON.parse(line) as Said;
    if (said.sent !== undefined && said.sent > 0) entryOf(said.sent - 1);
    for (const [number, offset] of said.acks ?? []) notebook.acknowledge(entryOf(number), offset);
    for (const [number, what] of said.failed ?? []) notebook.error(name, `${number}: ${what}`);
    if (said.error !== undefined) notebook.error(name, said.error);
    const [reader, session] = ["rdgroup.0", said.session ?? 0];
    for (const [partition, pairs] of said.polls ?? []) {
      const records = pairs.map(([offset, value]) => ({ offset, value }));
      notebook.poll({ reader, session, partition, records });
    }
    for (const [partition, offset] of said.commits ?? []) {
      notebook.commit({ group: "rdgroup", outcome: "ok", partition, offset });
    }
  };
  return { name, stop: () => stopped(child) };
}

/** A kcat after the other, each with some dozens of records for one partition; it tells no offsets. */
export function kcatLoad(kcat: string, place: LoadPlace, notebook: Notebook): LoadClient {
  let isStopping = false;
  const flags = ["-X", "enable.idempotence=true", "-X", "acks=all", "-X", "linger.ms=1"];
  const runOne = async (incarnation: number) => {
    const name = `kcat.${incarnation}`;
    const partition = incarnation % place.partitions;
    const entries = Array.from({ length: kcatRecords }, (_, number) =>
      notebook.send(name, number, partition),
    );
    const where = ["-b", place.bootstrap.join(), "-t", place.topic, "-p", String(partition)];
    const stdin = entries.map(({ value }) => `${value}\n`).join("");
    const end = await new TestProcess([kcat, "-P", ...where, ...flags], { stdin }).end(stopMsMax);
    const isGood = end.code === 0 && !/Delivery failed/.test(end.stderr);
    if (!isGood) notebook.error(name, end.stderr.trim());
    for (const entry of isGood ? entries : []) notebook.acknowledge(entry, -1);
  };
  const work = async () => {
    for (let incarnation = 0; !isStopping; incarnation++) {
      await runOne(incarnation);
      await pause(kcatPauseMs);
    }
  };
  const end = work();
  return {
    name: "kcat",
    async stop() {
      isStopping = true;
      await end;
    },
  };
}

async function stopped(child: TestProcess): Promise<void> {
  const end = await child.stop("SIGTERM", stopMsMax);
  if (end.code !== 0) throw new Error(`librdkafka's script: exit ${end.code}\n${end.stderr}`);
}
