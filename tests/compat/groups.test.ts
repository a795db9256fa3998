// Consumer groups with real clients: kcat and kafkajs share partitions, take over from those who die, and find
// their offsets again, also after the broker was killed. Cases begin all at once: most of their time is waiting.
// Time limit: 120 s

import { type Admin, type Consumer, Kafka, logLevel } from "kafkajs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findTool } from "../support/missing-tool.ts";
import { TestServer } from "../support/server.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { StreamingProcess } from "./streaming-process.ts";

const partitions = 4;
const waitMsMax = 30_000;

const sessionMs = 2000;
const settings = ["group.initial.rebalance.delay.ms=300", "group.min.session.timeout.ms=1000"];

const start = () => TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
/** The second one is killed. */
const [server, mortal] = await Promise.all([start(), start()]);

/** Begins now, and tells its outcome when it is its turn. */
function together(name: string, run: () => Promise<void>): void {
  const outcome = run();
  outcome.catch(() => {});
  test(name, () => outcome);
}

function kafka(at = server): Kafka {
  return new Kafka({ clientId: "c", brokers: [at.bootstrap], logLevel: logLevel.NOTHING });
}

async function withAdmin<T>(at: TestServer, run: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka(at).admin();
  await admin.connect();
  try {
    return await run(admin);
  } finally {
    await admin.disconnect();
  }
}

async function createTopic(topic: string, at = server): Promise<void> {
  const topics = [{ topic, numPartitions: partitions }];
  await withAdmin(at, (admin) => admin.createTopics({ topics }));
}

/** Values `from` up to (not including) `to`, spread over all partitions. */
async function produce(topic: string, from: number, to: number, at = server): Promise<void> {
  const producer = kafka(at).producer({ allowAutoTopicCreation: false });
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

  constructor(groupId: string, at = server) {
    const options = { sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 8000 };
    this.consumer = kafka(at).consumer({ groupId, ...options });
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

together(
  "kafkajs: two consumers share the partitions, and one takes over from the other",
  async () => {
    await createTopic("js");
    const first = await new JsConsumer("js-group").start("js");
    await until("the first has all", () => first.assigned.length === partitions);
    const second = await new JsConsumer("js-group").start("js");
    await until(
      "both have half",
      () => first.assigned.length === 2 && second.assigned.length === 2,
    );
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
  },
);

const kcat = findTool("kcat");

class KcatConsumer {
  readonly values: number[] = [];
  readonly process: StreamingProcess;
  readonly #reading: Promise<void>;

  constructor(group: string, topic: string, more: readonly string[] = [], at = server) {
    const session = [`session.timeout.ms=${sessionMs}`, "heartbeat.interval.ms=300"];
    const flags = ["auto.offset.reset=earliest", ...session, ...more].flatMap((each) => [
      "-X",
      each,
    ]);
    const command = [kcat!, "-b", at.bootstrap, ...flags, "-u", "-G", group, topic];
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
  together("kcat -G: a member that is killed is replaced after its session", async () => {
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

  together(
    "kcat -G: committed offsets survive the death of the broker, and so do members",
    async () => {
      await createTopic("kill", mortal);
      await createTopic("live", mortal);
      await produce("kill", 0, 20, mortal);
      const before = new KcatConsumer("kill-group", "kill", [], mortal);
      const member = await new JsConsumer("live-group", mortal).start("live");
      await until("all is read", () => before.values.length === 20);
      await before.end("SIGTERM");
      await until("the other has all", () => member.assigned.length === partitions);
      await mortal.kill();
      await mortal.restart();
      await produce("kill", 20, 40, mortal);
      await produce("live", 0, 20, mortal);
      const after = new KcatConsumer("kill-group", "kill", [], mortal);
      await until("the rest is read", () => after.values.length >= 20);
      assert.equal(after.values.sort(), numbers(20, 40));
      await until("the member reads on", () => new Set(member.values).size === 20);
      await after.end("SIGTERM");
      await member.consumer.disconnect();
    },
  );

  together("kcat -G: a static member that comes back causes no rebalance", async () => {
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

  together("kcat -G: cooperative members keep what does not move", async () => {
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
  const read = async (topic: string, protocol: string, count: number) => {
    const end = await tools.try(consoleConsumer, [
      ...["--bootstrap-server", server.bootstrap, "--topic", topic, "--group", topic],
      ...["--consumer-property", `group.protocol=${protocol}`],
      ...["--from-beginning", "--max-messages", String(count), "--timeout-ms", "40000"],
    ]);
    const lines = end.stdout.split("\n").filter((line) => /^\d+$/.test(line));
    return lines.map(Number).sort((a, b) => a - b);
  };
  const readOn = async (protocol: string) => {
    const topic = `java-${protocol}`;
    await createTopic(topic);
    await produce(topic, 0, 20);
    assert.equal(await read(topic, protocol, 20), numbers(0, 20));
    await produce(topic, 20, 24);
    assert.equal(await read(topic, protocol, 4), numbers(20, 24));
  };

  const reading = { classic: readOn("classic"), consumer: readOn("consumer") };
  for (const [protocol, read] of Object.entries(reading)) {
    const name = `Kafka's console consumer reads in a group of the ${protocol} protocol`;
    together(name, () => read);
  }

  together("Kafka's group command lists, describes, resets and deletes groups", async () => {
    const group = "tool-group";
    await createTopic("tool");
    await produce("tool", 0, 24);
    const committed = Array.from({ length: partitions }, (_, partition) => ({
      ...{ partition, offset: "6" },
    }));
    const given = { groupId: group, topic: "tool", partitions: committed };
    await withAdmin(server, (admin) => admin.setOffsets(given));
    const run = (...args: string[]) =>
      tools.run(groupCommand, "--bootstrap-server", server.bootstrap, ...args);
    const described = await run("--describe", "--group", group);
    assert.is(described.match(/tool-group +tool +\d +6 +6 +0 /g)?.length, partitions);
    const scope = ["--group", group, "--topic", "tool"];
    const reset = await run("--reset-offsets", ...scope, "--to-earliest", "--execute");
    assert.is(reset.match(/tool-group +tool +\d +0 /g)?.length, partitions);
    await run("--delete-offsets", ...scope);
    assert.match(await run("--delete", "--group", group), /successful/);
    await Promise.allSettled(Object.values(reading));
    const listed = await run("--list", "--type");
    assert.match(listed, /java-classic\s+Classic/);
    assert.match(listed, /java-consumer\s+Consumer/);
    assert.not.match(listed, group);
  });
}

test.after(async () => {
  await Promise.all([server.stop(), mortal.stop()]);
});

test.run();
