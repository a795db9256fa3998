// AlterConfigs, old and incremental, with the refusals a Kafka 4.1.1 broker was seen to give.

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ConfigOperation } from "../../../runtime/broker.ts";
import {
  applyOperations,
  BrokerConfig,
  type ConfigScope,
  mergeChanges,
  replaceConfigs,
} from "../../../runtime/config.ts";
import { BrokerError, type ErrorName } from "../../../runtime/errors.ts";

const config = new BrokerConfig();
const target = (scope: ConfigScope, current: Record<string, string> = {}) => ({
  scope,
  current: new Map(Object.entries(current)),
  config,
});
const set = (name: string, value: string): ConfigOperation => ({ name, op: "set", value });
const append = (name: string, value: string): ConfigOperation => ({ name, op: "append", value });
const subtract = (name: string, value: string): ConfigOperation => ({
  name,
  op: "subtract",
  value,
});
const remove = (name: string): ConfigOperation => ({ name, op: "delete" });

function refused(code: ErrorName, message: RegExp, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    assert.instance(error, BrokerError);
    assert.is((error as BrokerError).code, code);
    assert.match((error as BrokerError).message, message);
    return;
  }
  assert.unreachable(`expected ${code} ${message}`);
}

test("applyOperations() sets, removes and keeps canonical values", () => {
  const changes = applyOperations(target("topic", { "segment.ms": "5" }), [
    set("preallocate", "TRUE"),
    remove("segment.ms"),
    remove("never.heard.of"),
  ]);
  assert.equal(Object.fromEntries(changes), {
    preallocate: "true",
    "segment.ms": null,
    "never.heard.of": null,
  });
  const merged = mergeChanges(new Map([["segment.ms", "5"]]), changes);
  assert.equal([...merged], [["preallocate", "true"]]);
});

test("applyOperations() appends to and subtracts from lists, the default included", () => {
  const one = (current: Record<string, string>, operation: ConfigOperation) =>
    applyOperations(target("topic", current), [operation]).get(operation.name);
  assert.is(one({}, append("cleanup.policy", "compact")), "delete,compact");
  assert.is(one({ "cleanup.policy": "compact" }, append("cleanup.policy", "compact")), "compact");
  assert.is(
    one({ "cleanup.policy": "delete,compact" }, subtract("cleanup.policy", "delete")),
    "compact",
  );
  assert.is(one({ "cleanup.policy": "compact" }, subtract("cleanup.policy", "compact")), "");
});

test("applyOperations() keeps a group's values within the broker's bounds", () => {
  const apply = (...operations: ConfigOperation[]) => applyOperations(target("group"), operations);
  const heartbeat = "consumer.heartbeat.interval.ms";
  const session = "consumer.session.timeout.ms";
  assert.equal(
    [...apply(set(heartbeat, "6000"), remove(session))],
    [
      [heartbeat, "6000"],
      [session, null],
    ],
  );
  const bad = (message: RegExp, ...operations: ConfigOperation[]) =>
    refused("INVALID_CONFIG", message, () => apply(...operations));
  bad(/must be greater than or equal to group.consumer.min.heartbeat/, set(heartbeat, "4999"));
  bad(/must be less than or equal to group.consumer.max.heartbeat/, set(heartbeat, "15001"));
  bad(/must be greater than or equal to group.consumer.min.session/, set(session, "44999"));
  bad(/must be less than or equal to group.consumer.max.session/, set(session, "60001"));
  bad(/Not a number of type INT/, set(session, "1m"));
  bad(/Unknown group config name: session.timeout.ms/, set("session.timeout.ms", "50000"));
  bad(/Can't APPEND to key/, append(session, "1"));
  const wide = new BrokerConfig({
    set: new Map(
      [
        ["group.consumer.min.session.timeout.ms", "1000"],
        ["group.consumer.max.heartbeat.interval.ms", "50000"],
      ].map(([name, text]) => [name!, { text: text!, place: "--set" }]),
    ),
  });
  refused("INVALID_CONFIG", /session.timeout.ms must be greater than consumer.heartbeat/, () =>
    applyOperations({ ...target("group"), config: wide }, [
      set(heartbeat, "6000"),
      set(session, "6000"),
    ]),
  );
});

test("applyOperations() refuses for topics with INVALID_CONFIG, as Kafka", () => {
  const apply = (...operations: ConfigOperation[]) => applyOperations(target("topic"), operations);
  refused("INVALID_CONFIG", /Can't APPEND to key retention.ms because its type is not LIST/, () =>
    apply(append("retention.ms", "1")),
  );
  refused("INVALID_CONFIG", /String must be one of/, () => apply(append("cleanup.policy", "x")));
  refused("INVALID_CONFIG", /Unknown topic config name: nope/, () => apply(set("nope", "1")));
  refused("INVALID_CONFIG", /Value must be at least 1048576/, () =>
    apply(set("segment.bytes", "5")),
  );
  refused("INVALID_REQUEST", /duplicate config keys: retention.ms/, () =>
    apply(set("retention.ms", "1"), remove("retention.ms")),
  );
  refused("INVALID_CONFIG", /must not be above/, () =>
    applyOperations(target("topic", { "max.compaction.lag.ms": "5" }), [
      set("min.compaction.lag.ms", "6"),
    ]),
  );
});

test("applyOperations() changes only dynamic keys of brokers, and refuses with INVALID_REQUEST", () => {
  for (const scope of ["broker", "cluster"] as const) {
    const apply = (operation: ConfigOperation) => applyOperations(target(scope), [operation]);
    assert.equal([...apply(set("log.retention.ms", "3000"))], [["log.retention.ms", "3000"]]);
    assert.equal([...apply(set("timberline.flush", "os"))], [["timberline.flush", "os"]]);
    for (const name of ["log.dirs", "broker.id", "num.partitions", "advertised.listeners"]) {
      refused("INVALID_REQUEST", /Cannot update these configs dynamically/, () =>
        apply(set(name, "1")),
      );
      refused("INVALID_REQUEST", /dynamically/, () => apply(remove(name)));
    }
    refused("INVALID_REQUEST", /Value must be at least 0/, () =>
      apply(set("max.connections", "-1")),
    );
    refused("INVALID_REQUEST", /Unknown broker config name/, () => apply(set("nope", "1")));
  }
});

test("replaceConfigs() drops what it does not name", () => {
  const current = { "retention.ms": "5", "segment.ms": "6" };
  const changes = replaceConfigs(target("topic", current), new Map([["segment.ms", "7"]]));
  assert.equal(Object.fromEntries(changes), { "retention.ms": null, "segment.ms": "7" });
  refused("INVALID_CONFIG", /Unknown topic/, () =>
    replaceConfigs(target("topic", current), new Map([["x", "1"]])),
  );
});

test("a topic keeps values a newer version wrote, and can still be changed", () => {
  const changes = applyOperations(target("topic", { "tomorrow.key": "1" }), [
    set("retention.ms", "5"),
  ]);
  assert.equal([...changes], [["retention.ms", "5"]]);
});

test.run();
