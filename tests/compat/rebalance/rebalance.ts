// The cases: a group of 100 members over 1,000 partitions settles, and members that crash are replaced. Run small
// by `rebalance.serial.test.ts`, and over and over by `rebalance.slow.test.ts`.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { createClient } from "../../../runtime/client/mod.ts";
import { createPlatform } from "../../../runtime/platforms/node.ts";
import { TestServer } from "../../support/server.ts";
import { ClassicMember } from "./classic-member.ts";
import { ConsumerMember } from "./consumer-member.ts";
import { Group, type Settled } from "./group.ts";

export interface Figures extends Settled {
  readonly case: string;
  readonly round: number;
  readonly members: number;
  readonly partitions: number;
  readonly settledMsMax: number;
}

const members = 100;
const partitions = 1000;
const heartbeatIntervalMs = 500;
const sessionTimeoutMs = 3000;
/** Longer than a member may take to hear of something. */
const quietMs = heartbeatIntervalMs + 300;
export const settledMsMax = 2000;
const failoverMsMax = sessionTimeoutMs + heartbeatIntervalMs + 500;
const topic = "t";
const settings = [
  `group.consumer.heartbeat.interval.ms=${heartbeatIntervalMs}`,
  `group.consumer.session.timeout.ms=${sessionTimeoutMs}`,
  `group.min.session.timeout.ms=${sessionTimeoutMs}`,
  "group.initial.rebalance.delay.ms=200",
];

export interface ProofOptions {
  readonly rounds: number;
  /** All cases, also those that show nothing new. */
  readonly isWhole: boolean;
  /** For 100 members that connect and join at once, on a machine that just started everything. */
  readonly foundedMsMax: number;
  report(figures: Figures): void;
}

export function proveRebalance({ rounds, report, ...options }: ProofOptions): void {
  for (let round = 1; round <= rounds; round++) {
    test(`round ${round}: 100 members of one group settle over 1,000 partitions, and after a crash`, async () => {
      const server = await TestServer.start({ args: settings.flatMap((each) => ["--set", each]) });
      const groups = await startGroups(server);
      try {
        await proveRound(groups, { ...options, report: (each) => report({ ...each, round }) });
      } finally {
        await Promise.all(groups.all.map((group) => group.crash(group.members.length)));
        await server.stop();
      }
    });
  }
}

async function startGroups(server: TestServer) {
  const seat = { server: server.kafka, topic, topicId: await createTopic(server), partitions };
  const consumerGroup = (groupId: string) =>
    new Group({ ...seat, groupId }, (each) => new ConsumerMember(each));
  const pace = { sessionTimeoutMs, heartbeatIntervalMs };
  const modern = consumerGroup("modern");
  const classic = new Group(
    { ...seat, groupId: "classic" },
    (each) => new ClassicMember(each, pace),
  );
  // The first member of all makes the topic that groups are kept in.
  const first = consumerGroup("first");
  await first.join(1);
  await first.leave(1);
  return { modern, classic, all: [modern, classic] };
}

async function proveRound(
  { modern, classic }: Awaited<ReturnType<typeof startGroups>>,
  {
    isWhole,
    foundedMsMax,
    report,
  }: Omit<ProofOptions, "rounds" | "report"> & { report(figures: Omit<Figures, "round">): void },
): Promise<void> {
  const measure = async (
    name: string,
    group: typeof modern | typeof classic,
    event: () => Promise<void>,
    limitMs = settledMsMax,
  ) => {
    const settled = await group.settle(event, quietMs);
    const size = { members: group.members.length, partitions };
    report({ case: name, ...size, ...settled, settledMsMax: limitMs });
    assert.ok(settled.settledMs <= limitMs, `${name}: ${settled.settledMs} ms, not ${limitMs}`);
    return settled;
  };
  await measure("100 join at once", modern, () => modern.join(members), foundedMsMax);
  const left = await measure("one leaves", modern, () => modern.leave(1));
  assert.equal([left.moved, left.stopped], [partitions / members, 0]);
  const joined = await measure("one joins", modern, () => modern.join(1));
  assert.equal([joined.stopped, joined.inVain], [joined.moved, 0]);
  assert.is(joined.moved, partitions / members);
  if (isWhole) {
    const ten = await measure("ten leave at once", modern, () => modern.leave(10));
    assert.is(ten.inVain, 0);
    await measure("ten join at once", modern, () => modern.join(10));
  }
  await classic.settle(() => classic.join(10), quietMs);
  await Promise.all([
    measure("one crashes", modern, () => modern.crash(1), failoverMsMax),
    measure("one crashes, classic protocol", classic, () => classic.crash(1), failoverMsMax),
  ]);
}

async function createTopic({ bootstrap }: TestServer): Promise<string> {
  const client = createClient({ platform: createPlatform(), bootstrap: [bootstrap] });
  try {
    const admin = client.admin();
    const { id } = await admin.createTopic({ name: topic, partitions });
    // Files of new partitions are opened bit by bit; who asks for one does not wait.
    const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    await admin.listOffsets(all.map((each) => ({ ...each, spec: "latest" })));
    return id;
  } finally {
    await client.close();
  }
}
