// Consumer groups with real clients: kcat and kafkajs share partitions, take over from those who die, and find
// their offsets again, also after the broker was killed.
// Time limit: 180 s

import { type Consumer, Kafka, logLevel } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findTool } from "../support/missing-tool.ts";
import { TestServer } from "../support/server.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { StreamingProcess } from "./streaming-process.ts";

const partitions = 4;
const waitMsMax = 30_000;

const server = await TestServer.start({
  args: ["--set", "group.initial.rebalance.delay.ms=300"],
});

function kafka(): Kafka {
  return new Kafka({ clientId: "c", brokers: [server.bootstrap], logLevel: logLevel.NOTHING });
}

async function createTopic(topic: string): Promise<void> {
  const admin = kafka().admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
}

/** Values `from` up to (not including) `to`, spread over all partitions. */
async function produce(topic: string, from: number, to: number): Promise<void> {
  const producer = kafka().producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const messages = Array.from({ length: to - from }, (_, i) => ({
    value: String(from + i),
    partition: (from + i) % partitions,
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = Date.now() + waitMsMax;
  while (!isTrue()) {
    if (Date.now() > endMs) throw new Error(`waited ${waitMsMax} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

class JsConsumer {
  readonly values: number[] = [];
  assigned: readonly number[] = [];
  readonly consumer: Consumer;

  constructor(groupId: string) {
    const options = { sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 8000 };
    this.consumer = kafka().consumer({ groupId, ...options });
  }

  async start(topic: string): Promise<this> {
    const { consumer } = this;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.assigned = payload.memberAssignment[topic] ?? [];
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommitThreshold: 1,
      eachMessage: async ({ message }) => {
        this.values.push(Number(message.value));
      },
    });
    return this;
  }
}

test("kafkajs: two consumers share the partitions, and one takes over from the other", async () => {
  await createTopic("js");
  const first = await new JsConsumer("js-group").start("js");
  await until("the first has all", () => first.assigned.length === partitions);
  const second = await new JsConsumer("js-group").start("js");
  await until("both have half", () => first.assigned.length === 2 && second.assigned.length === 2);
  assert.equal([...first.assigned, ...second.assigned].sort(), [0, 1, 2, 3]);
  await produce("js", 0, 40);
  const all = () => [...first.values, ...second.values];
  await until("all is read", () => new Set(all()).size === 40);
  assert.is(all().length, 40);
  assert.is(first.values.length, 20);
  await second.consumer.disconnect();
  await until("the first has all again", () => first.assigned.length === partitions);
  await produce("js", 40, 80);
  await until("the rest is read", () => new Set(all()).size === 80);
  assert.is(all().length, 80);
  await first.consumer.disconnect();
  const later = await new JsConsumer("js-group").start("js");
  await until("a new one has all", () => later.assigned.length === partitions);
  await produce("js", 80, 84);
  await until("the new one reads", () => later.values.length >= 4);
  assert.equal(later.values.sort(), numbers(80, 84));
  await later.consumer.disconnect();
});

const kcat = findTool("kcat");

class KcatConsumer {
  readonly values: number[] = [];
  readonly process: StreamingProcess;
  readonly #reading: Promise<void>;

  constructor(group: string, topic: string, more: readonly string[] = []) {
    const settings = ["auto.offset.reset=earliest", "session.timeout.ms=6000", ...more];
    const flags = settings.flatMap((each) => ["-X", each]);
    const command = [kcat!, "-b", server.bootstrap, ...flags, "-u", "-G", group, topic];
    this.process = new StreamingProcess(command);
    this.#reading = this.#read();
  }

  /** Partitions it holds: cooperative members are told only what changes. */
  get heldCount(): number {
    const changes = [...this.process.stderr.matchAll(/incremental (assignment|revoke) of (\d+)/g)];
    return changes.reduce(
      (held, [, what, count]) => held + (what === "revoke" ? -Number(count) : Number(count)),
      0,
    );
  }

  /** Each time it was assigned partitions. */
  get assignments(): string[] {
    return this.process.stderr.split("\n").filter((line) => line.includes("assigned:"));
  }

  get assignedCount(): number {
    return (this.assignments.at(-1)?.match(/\[\d+\]/g) ?? []).length;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.process.kill(signal);
    await this.process.ended;
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const chunk of this.process.output()) {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") this.values.push(Number(line));
    }
  }
}

if (kcat !== undefined) {
  test("kcat -G: a member that is killed is replaced after its session", async () => {
    await createTopic("kc");
    const first = new KcatConsumer("kc-group", "kc");
    const second = new KcatConsumer("kc-group", "kc");
    await until("both have half", () => first.assignedCount === 2 && second.assignedCount === 2);
    await produce("kc", 0, 40);
    await until("all is read", () => first.values.length + second.values.length === 40);
    await second.end("SIGKILL");
    await until("the first has all", () => first.assignedCount === partitions);
    await produce("kc", 40, 60);
    const all = () => new Set([...first.values, ...second.values]);
    await until("the rest is read", () => all().size === 60);
    await first.end("SIGTERM");
  });

  test("kcat -G: committed offsets survive the death of the broker, and so do members", async () => {
    await createTopic("kill");
    await createTopic("live");
    await produce("kill", 0, 20);
    const before = new KcatConsumer("kill-group", "kill");
    const member = await new JsConsumer("live-group").start("live");
    await until("all is read", () => before.values.length === 20);
    await before.end("SIGTERM");
    await until("the other has all", () => member.assigned.length === partitions);
    await server.kill();
    await server.restart();
    await produce("kill", 20, 40);
    await produce("live", 0, 20);
    const after = new KcatConsumer("kill-group", "kill");
    await until("the rest is read", () => after.values.length >= 20);
    assert.equal(after.values.sort(), numbers(20, 40));
    await until("the member reads on", () => new Set(member.values).size === 20);
    await after.end("SIGTERM");
    await member.consumer.disconnect();
  });

  test("kcat -G: a static member that comes back causes no rebalance", async () => {
    await createTopic("static");
    const first = new KcatConsumer("static-group", "static", ["group.instance.id=one"]);
    const second = new KcatConsumer("static-group", "static", ["group.instance.id=two"]);
    await until("both have half", () => first.assignedCount === 2 && second.assignedCount === 2);
    const rebalances = first.assignments.length;
    await second.end("SIGKILL");
    const back = new KcatConsumer("static-group", "static", ["group.instance.id=two"]);
    await until("it is back", () => back.assignedCount === 2);
    await produce("static", 0, 20);
    await until("all is read", () => first.values.length + back.values.length === 20);
    assert.is(first.assignments.length, rebalances);
    await first.end("SIGTERM");
    await back.end("SIGTERM");
  });

  test("kcat -G: cooperative members keep what does not move", async () => {
    await createTopic("coop");
    const sticky = ["partition.assignment.strategy=cooperative-sticky"];
    const first = new KcatConsumer("coop-group", "coop", sticky);
    await until("the first has all", () => first.heldCount === partitions);
    const second = new KcatConsumer("coop-group", "coop", sticky);
    await until("both have half", () => first.heldCount === 2 && second.heldCount === 2);
    await produce("coop", 0, 20);
    await until("all is read", () => first.values.length + second.values.length === 20);
    assert.is(first.values.length, 10);
    await first.end("SIGTERM");
    await second.end("SIGTERM");
  });
}

const tools = KafkaTools.find();

if (tools !== undefined) {
  const consoleConsumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const groupCommand = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

  for (const protocol of ["classic", "consumer"]) {
    test(`Kafka's console consumer reads in a group of the ${protocol} protocol`, async () => {
      const topic = `java-${protocol}`;
      await createTopic(topic);
      await produce(topic, 0, 20);
      const read = async (count: number) => {
        const end = await tools.try(consoleConsumer, [
          ...["--bootstrap-server", server.bootstrap, "--topic", topic, "--group", topic],
          ...["--consumer-property", `group.protocol=${protocol}`],
          ...["--from-beginning", "--max-messages", String(count), "--timeout-ms", "40000"],
        ]);
        return end.stdout
          .split("\n")
          .filter((line) => /^\d+$/.test(line))
          .map(Number);
      };
      assert.equal(
        (await read(20)).sort((a, b) => a - b),
        numbers(0, 20),
      );
      await produce(topic, 20, 24);
      assert.equal(
        (await read(4)).sort((a, b) => a - b),
        numbers(20, 24),
      );
    });
  }

  test("Kafka's group command lists, describes, resets and deletes groups", async () => {
    const run = (...args: string[]) =>
      tools.run(groupCommand, "--bootstrap-server", server.bootstrap, ...args);
    assert.match(await run("--list", "--type"), /java-consumer\s+Consumer/);
    const described = await run("--describe", "--group", "java-classic");
    assert.is(described.match(/java-classic +java-classic +\d +6 +6 +0 /g)?.length, partitions);
    const scope = ["--group", "java-classic", "--topic", "java-classic"];
    await run("--reset-offsets", ...scope, "--to-earliest", "--execute");
    assert.match(await run("--describe", "--group", "java-classic"), / 0 +6 +6 /);
    await run("--delete-offsets", ...scope);
    assert.match(await run("--delete", "--group", "java-classic"), /successful/);
    assert.not.match(await run("--list"), /java-classic/);
  });
}

test.run();
