// Kafka's own tools against three brokers: topics with replicas, moving replicas and leaders, who decides, and what
// they say when a broker is gone. The brokers run in this process, all calls of tools share one JVM.
// Time limit: 120 s

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClusterScene, eventually } from "../cluster/cluster-scene.ts";
import { findTool } from "../support/missing-tool.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { KafkaTools } from "./kafka-tools.ts";
import { type Said, ToolServer } from "./tool-server.ts";

const TOPICS = "org.apache.kafka.tools.TopicCommand";
const MOVES = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const ELECTIONS = "org.apache.kafka.tools.LeaderElectionCommand";
const CLUSTER = "org.apache.kafka.tools.ClusterTool";
const QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand";
const FEATURES = "org.apache.kafka.tools.FeatureCommand";
const VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand";

const kafkaTools = KafkaTools.find();
const javac = findTool("javac");
let scene: ClusterScene;
let tools: ToolServer;

if (kafkaTools !== undefined && javac !== undefined) {
  test.before(async () => {
    scene = new ClusterScene({ "timberline.flush": "os" }, { members: true });
    [tools] = await Promise.all([ToolServer.start(kafkaTools), scene.start(1, 2, 3)]);
  });
  test.after(async () => {
    tools?.close();
    await scene?.close();
  });

  test("TopicCommand creates with replicas, by number and by hand, and describes them", async () => {
    await run(TOPICS, "--create --topic seats --partitions 3 --replication-factor 3");
    await run(TOPICS, "--create --topic moved --replica-assignment 1:2,2:3");
    const seats = await run(TOPICS, "--describe --topic seats");
    assert.match(seats, /PartitionCount: 3\tReplicationFactor: 3/);
    assert.is(seats.match(/Isr: \d,\d,\d/g)?.length, 3);
    const moved = await run(TOPICS, "--describe --topic moved");
    assert.match(moved, /Partition: 1\tLeader: 2\tReplicas: 2,3\tIsr: 2,3\tElr: \tLastKnownElr: /);
    const tooMany = await attempt(
      TOPICS,
      "--create --topic big --partitions 1 --replication-factor 4",
    );
    assert.match(tooMany.text, /InvalidReplicationFactorException/);
    const words = "--alter --topic moved --partitions 3 --replica-assignment 1:2,2:3,3:1";
    await run(TOPICS, words);
    assert.match(
      await run(TOPICS, "--describe --topic moved"),
      /Partition: 2\tLeader: 3\tReplicas: 3,1/,
    );
    assert.is((await run(TOPICS, "--describe --under-replicated-partitions")).trim(), "");
  });

  test("FeatureCommand lowers a level for all brokers, and raises it again", async () => {
    await run(FEATURES, "downgrade --feature transaction.version=1");
    for (const server of scene.servers.values()) {
      const { host, port } = server.kafka;
      await eventually(`broker ${server.brokerId} says 1`, async () => {
        const said = await tools.run(FEATURES, `--bootstrap-server ${host}:${port} describe`);
        return /transaction\.version\t.*FinalizedVersionLevel: 1\t/.test(said);
      });
    }
    const wrong = await attempt(FEATURES, "upgrade --feature transaction.version=9");
    assert.match(wrong.text, /transaction\.version/);
    assert.is.not(wrong.code, 0);
    await run(FEATURES, "upgrade --feature transaction.version=2");
    assert.match(await run(FEATURES, "describe"), /transaction\.version\t.*VersionLevel: 2\t/);
  });

  test("ReassignPartitionsCommand plans, moves, verifies and cancels", async () => {
    const topics = file({ version: 1, topics: [{ topic: "moved" }] });
    const plan = await run(
      MOVES,
      `--generate --topics-to-move-json-file ${topics} --broker-list 1,2`,
    );
    assert.match(plan, /Proposed partition reassignment configuration/);
    const move = file({
      version: 1,
      partitions: [{ topic: "moved", partition: 0, replicas: [3, 2] }],
    });
    assert.match(
      await run(MOVES, `--execute --reassignment-json-file ${move} --throttle 100000000`),
      /Successfully started partition reassignment for moved-0/,
    );
    await eventually("it has moved", async () => {
      const said = await run(
        MOVES,
        `--verify --preserve-throttles --reassignment-json-file ${move}`,
      );
      return /Reassignment of partition moved-0 is completed/.test(said);
    });
    const verified = await run(MOVES, `--verify --reassignment-json-file ${move}`);
    assert.match(verified, /Clearing topic-level throttles on topic moved/);
    assert.match(await run(TOPICS, "--describe --topic moved"), /Leader: \d\tReplicas: 3,2/);
    assert.match(await run(MOVES, "--list"), /No partition reassignments found/);
    const cancelled = await run(MOVES, `--cancel --reassignment-json-file ${move}`);
    assert.match(cancelled, /None of the specified partition reassignments are active/);
    const wrong = file({
      version: 1,
      partitions: [{ topic: "moved", partition: 0, replicas: [3, 9] }],
    });
    const refused = await attempt(MOVES, `--execute --reassignment-json-file ${wrong}`);
    assert.is(refused.code, 1);
    assert.match(refused.text, /9/);
  });

  test("LeaderElectionCommand makes preferred replicas lead", async () => {
    await eventually("all lead what they prefer", async () => {
      await attempt(ELECTIONS, "--election-type preferred --all-topic-partitions");
      const said = await run(TOPICS, "--describe --topic seats");
      return (said.match(/Leader: (\d)\tReplicas: \1/g)?.length ?? 0) === 3;
    });
    const again = await attempt(ELECTIONS, "--election-type preferred --topic seats --partition 0");
    assert.is(again.code, 0);
    assert.match(again.text, /Valid replica already elected for partitions seats-0/);
    const nowhere = await attempt(
      ELECTIONS,
      "--election-type preferred --topic nowhere --partition 0",
    );
    assert.match(nowhere.text, /UnknownTopicOrPartition/);
  });

  test("ClusterTool, MetadataQuorumCommand and the like find all three brokers", async () => {
    const { clusterId } = scene.server(1);
    assert.match(await run(CLUSTER, "cluster-id"), new RegExp(`Cluster ID: ${clusterId}`));
    const status = await quorum("describe --status");
    assert.match(status, new RegExp(`ClusterId: +${clusterId}`));
    assert.match(status, /LeaderId: +[123]\n/);
    assert.match(status, /CurrentVoters: +\[.*"id": 1.*"id": 2.*"id": 3/s);
    const replication = await quorum("describe --replication");
    assert.is(replication.match(/\b(Leader|Follower)\b/g)?.length, 3);
    const versions = await run(VERSIONS, "");
    assert.is(versions.match(/AlterPartitionReassignments\(45\): 0 to 1/g)?.length, 3);
    assert.is(versions.match(/UNKNOWN\(/g), null);
    const dirs = await run(LOG_DIRS, "--describe --topic-list seats");
    assert.is(dirs.match(/"broker":[123]/g)?.length, 3);
    assert.is(dirs.match(/"partition":"seats-/g)?.length, 9);
  });

  test("a broker is gone: the tools show it, and forget it when it has no replica", async () => {
    await run(TOPICS, "--create --topic left --replica-assignment 1:3");
    scene.cut(2);
    const bootstrap = scene.server(1).kafka;
    const at = `--bootstrap-server ${bootstrap.host}:${bootstrap.port}`;
    await eventually(
      "it is missed",
      async () => {
        const said = await tools.run(TOPICS, `${at} --describe --under-replicated-partitions`);
        return /Topic: seats\tPartition: 2/.test(said);
      },
      15_000,
    );
    const endpoints = await tools.run(CLUSTER, `list-endpoints ${at} --include-fenced-brokers`);
    assert.match(endpoints, /^2 +.* fenced/m);
    const held = await tools.try(CLUSTER, `unregister ${at} --id 2`);
    assert.match(held.text, /still has replicas/);
    for (const topic of ["seats", "moved"]) {
      await tools.run(TOPICS, `${at} --delete --topic ${topic}`);
    }
    assert.match(
      await tools.run(CLUSTER, `unregister ${at} --id 2`),
      /Broker 2 is no longer registered/,
    );
    const unknown = await tools.try(CLUSTER, `unregister ${at} --id 2`);
    assert.match(unknown.text, /not registered/);
  });
}

function bootstrap(): string {
  return [...scene.servers.values()].map(({ kafka }) => `${kafka.host}:${kafka.port}`).join(",");
}

function run(tool: string, words: string): Promise<string> {
  return tools.run(tool, placed(tool, words));
}

function attempt(tool: string, words: string): Promise<Said> {
  return tools.try(tool, placed(tool, words));
}

function placed(tool: string, words: string): string {
  const at = `--bootstrap-server ${bootstrap()}`;
  if (tool === CLUSTER) return `${words} ${at}`;
  return words === "" ? at : `${at} ${words}`;
}

/** Its own options come before what it is to do. */
function quorum(words: string): Promise<string> {
  return tools.run(QUORUM, `--bootstrap-server ${bootstrap()} ${words}`);
}

function file(content: unknown): string {
  const path = join(tempFolder("moves"), "moves.json");
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test.run();
