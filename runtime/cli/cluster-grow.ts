// `cluster add decommission rebalance`: a cluster that grows, shrinks, or is evened out. What they move is planned in
// `cluster-plan.ts`.

import type { Admin } from "../client/mod.ts";
import {
  type ClusterFacts,
  clusterFacts,
  liveBrokers,
  placements,
  placeOf,
} from "./cluster-facts.ts";
import { carryOut, leadByPreference } from "./cluster-move.ts";
import { planAddition, planEven, planRemoval, withoutRoom } from "./cluster-plan.ts";
import { rateOf } from "./cluster-throttle.ts";
import type { Call } from "./commands.ts";
import { type Connection, withAdmin, withClient } from "./connection.ts";
import { CliError, ExitCode, usageError } from "./exit.ts";
import { formatCounted } from "./output.ts";
import { aborted } from "./shell.ts";

/** Leaves a small machine most of its disk and network for clients. */
const RATE_DEFAULT = 32 * 1024 * 1024;
/** Topics that are made meanwhile may put replicas on a broker that leaves: it is emptied again, so often. */
const ROUNDS_MAX = 5;
const STOP_LOOK_MS = 500;

export async function clusterRebalance({ shell, flags }: Call): Promise<ExitCode> {
  const topics = flags.list("topic");
  if (!flags.isSet("replicas")) {
    return withAdmin(shell, async (admin) => {
      const places = topics.length === 0 ? null : await partitionsOf(admin, topics);
      const code = await leadByPreference(shell, admin, places);
      if (code === ExitCode.done) shell.note("preferred replicas lead");
      return code;
    });
  }
  const rate = rateOf(flags, "throttle", RATE_DEFAULT);
  return withClient(shell, async (connection) => {
    const facts = await clusterFacts(connection.client.admin(), topics);
    const fenced = facts.brokers.find(({ isFenced }) => isFenced);
    if (fenced !== undefined) {
      throw new CliError(`broker ${fenced.id} is fenced: nothing is even without it`, {
        hints: ["bring it back", `timberline cluster decommission ${fenced.id}`],
      });
    }
    const moves = planEven({ brokers: facts.brokers, placements: placements(facts) });
    const isDryRun = flags.isSet("dryRun");
    const options = { rate, isDryRun, isWatched: true };
    const isDone = await carryOut(shell, connection, moves, options);
    if (isDone && !isDryRun) await leadByPreference(shell, connection.client.admin(), null);
    return isDone || isDryRun ? ExitCode.done : ExitCode.failed;
  });
}

export async function clusterAdd({ shell, args, flags }: Call): Promise<ExitCode> {
  const id = brokerOf(args);
  const rate = rateOf(flags, "throttle", RATE_DEFAULT);
  return withClient(shell, async (connection) => {
    const facts = await clusterFacts(connection.client.admin());
    const broker = knownBroker(facts, id);
    if (broker.isFenced) {
      throw new CliError(`broker ${id} is fenced: it must be up before it can take partitions`);
    }
    const brokers = liveBrokers(facts);
    const moves = planAddition({ brokers, placements: placements(facts), id });
    const isDryRun = flags.isSet("dryRun");
    const options = { rate, isDryRun, isWatched: true };
    const isDone = await carryOut(shell, connection, moves, options);
    return isDone || isDryRun ? ExitCode.done : ExitCode.failed;
  });
}

export async function clusterDecommission({ shell, args, flags }: Call): Promise<ExitCode> {
  const id = brokerOf(args);
  const rate = rateOf(flags, "throttle", RATE_DEFAULT);
  const waitMs = flags.durationMs("wait") ?? 0;
  const isDryRun = flags.isSet("dryRun");
  return withClient(shell, async (connection) => {
    knownBroker(await clusterFacts(connection.client.admin()), id);
    const options = { rate, isDryRun, isWatched: true };
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const moves = await movesAway(connection.client.admin(), id);
      if (moves.length === 0 && round > 0) break;
      const isDone = await carryOut(shell, connection, moves, options);
      if (isDryRun) return ExitCode.done;
      if (!isDone) return ExitCode.failed;
      if (moves.length === 0) break;
    }
    return forget({ shell, connection, id, waitMs });
  });
}

async function movesAway(admin: Admin, id: number) {
  const facts = await clusterFacts(admin);
  const brokers = liveBrokers(facts).filter((broker) => broker.id !== id);
  const held = placements(facts).filter(({ replicas }) => replicas.includes(id));
  const stuck = withoutRoom(held, brokers);
  if (stuck !== undefined) {
    const count = stuck.replicas.length;
    throw new CliError(
      `without broker ${id} there are ${formatCounted(brokers.length, "broker")} up, too few ` +
        `for ${placeOf(stuck)} with its ${count === 1 ? "replica" : `${count} replicas`}`,
      { hints: ["add a broker first", "or move it to fewer replicas: cluster reassign --plan"] },
    );
  }
  return planRemoval({ brokers, placements: placements(facts), id });
}

/** The broker holds nothing: it is forgotten as soon as it is stopped. */
async function forget(options: {
  readonly shell: Call["shell"];
  readonly connection: Connection;
  readonly id: number;
  readonly waitMs: number;
}): Promise<ExitCode> {
  const { shell, connection, id, waitMs } = options;
  const { clock } = connection.platform;
  const admin = connection.client.admin();
  const stopped = aborted(shell.signal);
  const endMs = clock.monotonicMs() + waitMs;
  let isTold = false;
  while (!shell.signal.aborted) {
    const { brokers } = await admin.care.members();
    const broker = brokers.find((each) => each.id === id);
    if (broker === undefined || broker.isFenced) {
      if (broker !== undefined) await admin.care.unregister(id);
      shell.note(`broker ${id} is forgotten: its number may be used again`);
      return ExitCode.done;
    }
    if (!isTold) shell.note(`broker ${id} holds nothing any more: stop it now`);
    isTold = true;
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) break;
    const look = new Promise<void>((resolve) => {
      clock.after(Math.min(leftMs, STOP_LOOK_MS), resolve, { keepAlive: true });
    });
    await Promise.race([stopped, look]);
  }
  shell.note(`then: timberline cluster decommission ${id} forgets it`);
  return ExitCode.done;
}

async function partitionsOf(admin: Admin, names: readonly string[]) {
  return (await admin.topics(names)).flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partition }) => ({ topic, partition })),
  );
}

function brokerOf([text = ""]: readonly string[]): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageError(`"${text}" is not the number of a broker`);
}

function knownBroker({ brokers }: ClusterFacts, id: number) {
  const found = brokers.find((broker) => broker.id === id);
  if (found !== undefined) return found;
  const ids = brokers.map((broker) => broker.id).join(", ");
  throw new CliError(`there is no broker ${id}: the brokers are ${ids}`, {
    hints: ["start it first: timberline serve --broker-id …"],
  });
}
