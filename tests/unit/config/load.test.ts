// Loading configuration: layers, files of both kinds, and every mistake found at once with a way out.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ConfigSources, formatProblem, loadConfig } from "../../../runtime/config.ts";

const toml = (text: string): ConfigSources => ({ file: { path: "timberline.toml", text } });
const properties = (text: string): ConfigSources => ({ file: { path: "server.properties", text } });

test("loadConfig() layers: default, file, environment, --set, flags", async () => {
  const sources: ConfigSources = {
    ...toml('num.partitions = 2\ntimberline.flush = "os"\n[log]\nsegment.bytes = "2MiB"\n'),
    env: { TIMBERLINE_NUM_PARTITIONS: "3", TIMBERLINE_LOG_SEGMENT_BYTES: "3MiB", PATH: "/bin" },
    sets: ["num.partitions=4", "node.id=9", "num.partitions=5"],
    flags: { "broker-id": "12", flush: "interval:250" },
  };
  const { config, problems, warnings } = await loadConfig(sources);
  assert.equal([problems, warnings], [[], []]);
  assert.is(config.number("num.partitions"), 5);
  assert.is(config.number("log.segment.bytes"), 3 * 2 ** 20);
  assert.is(config.nodeId, 12);
  assert.equal(config.flush, { mode: "interval", ms: 250 });
  assert.is(config.effective("node.id")?.place, "--broker-id");
  assert.equal(
    config.settingsOf("num.partitions").map(({ layer, place, text }) => [layer, place, text]),
    [
      ["set", "--set", "5"],
      ["environment", "TIMBERLINE_NUM_PARTITIONS", "3"],
      ["file", "timberline.toml:1", "2"],
      ["default", "default", "1"],
    ],
  );
  assert.is(config.settingsOf("log.segment.bytes")[1]?.place, "timberline.toml:4");
});

test("loadConfig() takes units in files, variables and flags", async () => {
  const { config, problems } = await loadConfig({
    ...toml('log.retention.ms = "7d"\nlog.roll.hours = "2d"\nmessage.max.bytes = "2MB"\n'),
    env: { TIMBERLINE_LOG_ROLL_JITTER_MS: "1.5h" },
    sets: ["log.segment.delete.delay.ms=30s", "log.retention.bytes=1GiB"],
  });
  assert.equal(problems, []);
  assert.is(config.number("log.retention.ms"), 604_800_000);
  assert.is(config.number("log.roll.ms"), 172_800_000);
  assert.is(config.number("message.max.bytes"), 2_000_000);
  assert.is(config.number("log.roll.jitter.ms"), 5_400_000);
  assert.is(config.number("log.segment.delete.delay.ms"), 30_000);
  assert.is(config.number("log.retention.bytes"), 2 ** 30);
});

test("loadConfig() reads a server.properties as Kafka does and says what it passes over", async () => {
  const { config, problems, warnings } = await loadConfig(
    properties(
      [
        "# a comment",
        "process.roles=broker,controller",
        "node.id=3",
        "listeners=PLAINTEXT://:9192,CONTROLLER://:9193",
        "advertised.listeners = PLAINTEXT://kafka.example:9192",
        "log.dirs: /var/lib/ka\\",
        "   fka",
        "log.retention.hours 48",
        "num.network.threads=3",
        "offsets.load.buffer.size=1",
        "log.cleaner.threads=2",
        "num.partitions=3",
        "num.partitions=6",
      ].join("\r\n"),
    ),
  );
  assert.equal(problems, []);
  assert.is(config.nodeId, 3);
  assert.equal(config.kafkaListener, { host: "0.0.0.0", port: 9192 });
  assert.equal(config.advertised, { host: "kafka.example", port: 9192 });
  assert.is(config.dataDir, "/var/lib/kafka");
  assert.is(config.number("log.retention.ms"), 172_800_000);
  assert.is(config.number("num.partitions"), 6);
  assert.equal(
    warnings.map(({ key }) => key),
    ["process.roles", "num.network.threads", "offsets.load.buffer.size", "log.cleaner.threads"],
  );
});

test("loadConfig() refuses keys that promise security, and never shows their values", async () => {
  const { problems } = await loadConfig(
    properties(
      [
        "ssl.keystore.password=hunter2",
        "authorizer.class.name=x",
        "sasl.jaas.config=secret",
        "security.inter.broker.protocol=SSL",
        "listeners=SSL://127.0.0.1:9092",
      ].join("\n"),
    ),
  );
  assert.equal(
    problems.map(({ key }) => key),
    [
      "ssl.keystore.password",
      "authorizer.class.name",
      "sasl.jaas.config",
      "security.inter.broker.protocol",
      "listeners",
    ],
  );
  assert.not.match(problems.map(formatProblem).join("\n"), /hunter2/);
});

test("loadConfig() finds all mistakes at once, each with place, nearest key and a line to paste", async () => {
  const { problems } = await loadConfig({
    ...toml(
      'num.partitons = 3\n\n[log]\nretention.ms = "7MiB"\nsegment.bytes = 5\nretention.hour = 1\n',
    ),
    env: { TIMBERLINE_NUM_PARTITIONS: "many" },
    sets: ["retention.ms=5", "novalue", "zzz.qqq.www=1"],
    flags: { flush: "sometimes", "kafka-port": "99999" },
  });
  assert.equal(
    problems.map(({ place, key, nearest, paste }) => [place, key, nearest, paste]),
    [
      ["timberline.toml:1", "num.partitons", "num.partitions", "num.partitions = 3"],
      ["timberline.toml:4", "log.retention.ms", null, "log.retention.ms = 1"],
      ["timberline.toml:5", "log.segment.bytes", null, "log.segment.bytes = 1073741824"],
      ["timberline.toml:6", "log.retention.hour", "log.retention.hours", "log.retention.hours = 1"],
      ["TIMBERLINE_NUM_PARTITIONS", "num.partitions", null, "TIMBERLINE_NUM_PARTITIONS=1"],
      ["--set", "retention.ms", "log.retention.ms", "--set log.retention.ms=5"],
      ["--set", "novalue", null, "--set num.partitions=3"],
      ["--set", "zzz.qqq.www", null, null],
      ["--flush", "timberline.flush", null, "--flush group"],
      ["--kafka-port", "listeners", null, "--kafka-port 9092"],
    ],
  );
  assert.match(
    formatProblem(problems[1]!),
    /^timberline\.toml:4: log\.retention\.ms = "7MiB": 'MiB' is not one of its units.*\n {2}allowed: at least -1; a duration/,
  );
});

test("loadConfig() combines --host and --kafka-port with weaker listeners", async () => {
  const env = { TIMBERLINE_LISTENERS: "PLAINTEXT://10.0.0.5:7000" };
  const port = await loadConfig({ env, flags: { "kafka-port": "0" } });
  assert.equal(port.config.kafkaListener, { host: "10.0.0.5", port: 0 });
  const host = await loadConfig({ env, flags: { host: "::1", "http-port": "0" } });
  assert.equal(host.config.kafkaListener, { host: "::1", port: 7000 });
  assert.equal(host.config.httpListener, { host: "::1", port: 0 });
  assert.equal([...port.problems, ...host.problems], []);
});

test("loadConfig() wants to know what clients are told when it listens everywhere", async () => {
  const bare = await loadConfig({ flags: { host: "0.0.0.0" } });
  assert.match(bare.problems[0]!.message, /listens on every address/);
  assert.is(bare.problems[0]!.paste, "--advertise broker.example:9092");
  const told = await loadConfig({ flags: { host: "0.0.0.0", advertise: "log.example:9092" } });
  assert.equal(told.problems, []);
  assert.equal(told.config.advertised, { host: "log.example", port: 9092 });
  for (const advertise of ["0.0.0.0:9092", "nonsense", "host:port", "[::]:1"]) {
    const wrong = await loadConfig({ flags: { host: "0.0.0.0", advertise } });
    assert.is(wrong.problems[0]!.key, "advertised.listeners", advertise);
  }
});

test("loadConfig() refuses one port for two doors, but not two free ones", async () => {
  const same = await loadConfig({ flags: { "kafka-port": "7000", "http-port": "7000" } });
  assert.match(same.problems[0]!.message, /both doors/);
  assert.equal((await loadConfig({ flags: { "kafka-port": "0", "http-port": "0" } })).problems, []);
});

test("loadConfig() warns of values that make no sense together", async () => {
  const { warnings } = await loadConfig({
    sets: ["min.insync.replicas=2", "message.max.bytes=200000000"],
  });
  assert.equal(
    warnings.map(({ key }) => key),
    ["min.insync.replicas", "message.max.bytes"],
  );
});

test("loadConfig() reads values from files named by _FILE and reports what it cannot read", async () => {
  const env = { TIMBERLINE_BROKER_RACK_FILE: "/run/rack" };
  const read = await loadConfig({ env, readSecret: (path) => `from ${path}\n` });
  assert.is(read.config.text("broker.rack"), "from /run/rack");
  const failed = await loadConfig({
    env,
    readSecret: () => {
      throw new Error("ENOENT");
    },
  });
  assert.match(failed.problems[0]!.message, /cannot be read: ENOENT/);
});

test("loadConfig() warns of unknown variables, except those Kubernetes makes", async () => {
  const { problems, warnings } = await loadConfig({
    env: {
      TIMBERLINE_NUM_PARTITION: "3",
      TIMBERLINE_PORT: "tcp://10.0.0.1:9092",
      TIMBERLINE_SERVICE_HOST: "10.0.0.1",
      TIMBERLINE_PORT_9092_TCP_ADDR: "10.0.0.1",
      TIMBERLINE_KAFKA_SERVICE_PORT: "9092",
      TIMBERLINE_BOOTSTRAP: "127.0.0.1:9092",
    },
  });
  assert.equal(problems, []);
  assert.equal(
    warnings.map(({ key, nearest }) => [key, nearest]),
    [["TIMBERLINE_NUM_PARTITION", "TIMBERLINE_NUM_PARTITIONS"]],
  );
});

test("loadConfig() reports a broken TOML file by line and keeps the other layers", async () => {
  const { problems, config } = await loadConfig({
    ...toml("num.partitions = 2\nbroken = = 3\n"),
    sets: ["num.partitions=7"],
  });
  assert.is(problems.length, 1);
  assert.is(problems[0]!.place, "timberline.toml:2");
  assert.is(config.number("num.partitions"), 7);
});

test("loadConfig() bounds its complaints about a file that is no configuration", async () => {
  const lines = Array.from({ length: 5000 }, (_, index) => `zz.${index}=x`).join("\n");
  const { problems } = await loadConfig(properties(lines));
  assert.is(problems.length, 100);
});

test.run();
