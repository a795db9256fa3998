// Reading __transaction_state at start: all partitions, the newest state of each id, and how far it is.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { coordinatorPartition } from "../../../runtime/coordinator-partition.ts";
import { type LoadProgress, OwnStates } from "../../../runtime/transactions/own-states.ts";
import { StateLog } from "../../../runtime/transactions/state-log.ts";
import { newTransaction, type Transaction } from "../../../runtime/transactions/transaction.ts";
import { LogFixture, platform } from "../../support/log-fixture.ts";

/** Every look at the clock takes longer. */
function slowClock(log: LogFixture, stepMs: number) {
  let monotonicMs = 0;
  return {
    nowMs: () => log.clock.nowMs(),
    after: log.clock.after.bind(log.clock),
    soon: log.clock.soon.bind(log.clock),
    monotonicMs: () => {
      monotonicMs += stepMs;
      return monotonicMs;
    },
  };
}

function scene(stepMs: number) {
  const log = new LogFixture();
  const partitions = ["a", "b", "c", "d"].map((topic) => log.partition({}, topic));
  const { core, codecs } = platform;
  const clock = slowClock(log, stepMs);
  const stateLog = new StateLog({
    ...{ core, codecs, clock },
    statePartitionCount: () => partitions.length,
    statePartition: (index) => partitions[index]!,
  });
  const told: LoadProgress[] = [];
  const load = async () => {
    const states: Transaction[] = [];
    const own = new OwnStates({
      log: stateLog,
      clock,
      loaded: (part) => void states.push(...part),
      dropped: () => {},
      report: (error) => assert.unreachable(`${error}`),
    });
    await own.follow((each) => void told.push(each));
    return states;
  };
  const write = (id: string, producerId: number) => {
    const state = newTransaction(id, { producerId, timeoutMs: 1000, nowMs: 0 });
    return stateLog.write({ ...state, producerEpoch: 0 });
  };
  return { stateLog, partitions, told, load, write };
}

const ids = ["one", "two", "three", "four", "five", "six", "seven"];

test("load() finds the newest state of each id in the partition of its name", async () => {
  const { stateLog, partitions, load, write } = scene(0);
  for (const [i, id] of ids.entries()) {
    write(id, i);
    write(id, 100 + i);
    const partition = partitions[coordinatorPartition(id, partitions.length)];
    assert.ok((partition?.highWatermark ?? 0) >= 2, id);
  }
  stateLog.remove("two");
  const states = await load();
  const wanted = ids.map((id, i) => [id, 100 + i] as const).filter(([id]) => id !== "two");
  const found = states.map(({ transactionalId: id, producerId }) => [id, producerId] as const);
  assert.equal(found.sort(), [...wanted].sort());
});

test("load() says how far it is when it takes long, and nothing when it does not", async () => {
  const slow = scene(1_000);
  const quick = scene(1);
  for (const [i, id] of ids.entries()) {
    slow.write(id, i);
    quick.write(id, i);
  }
  await slow.load();
  await quick.load();
  assert.ok(slow.told.length > 0);
  assert.ok(
    slow.told.every(({ done, partitions }) => partitions <= 4 && done > 0 && done < partitions),
  );
  assert.equal(quick.told, []);
});

test.run();
