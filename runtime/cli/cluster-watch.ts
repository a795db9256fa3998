// Watching moves until they are over, with what is copied so far and how long the rest may take. A controller or a
// broker that goes away meanwhile is waited for as any request waits.

import type { Admin } from "../client/mod.ts";
import type { Clock } from "../platform.ts";
import { placeOf, type Sizes, sizeOf, sizesOn } from "./cluster-facts.ts";
import { addedReplicas, type Move } from "./cluster-plan.ts";
import type { Connection } from "./connection.ts";
import { CliError } from "./exit.ts";
import { type ProgressState, startProgress } from "./progress.ts";
import { aborted, type Shell } from "./shell.ts";

/** Looks become rarer: a short move ends at once, a long one costs little. */
const LOOK_MS_MIN = 20;
const LOOK_MS_MAX = 1_000;
/** Without a byte for so long, somebody should look. */
const STALL_MS = 30_000;
/** A partition that neither moves nor is there: what one broker says may be old for a moment, not for so long. */
const LOST_MS = 10_000;

/** False: interrupted, and the moves go on. */
export async function watchMoves(
  shell: Shell,
  { client, platform: { clock } }: Connection,
  moves: readonly Move[],
): Promise<boolean> {
  const admin = client.admin();
  const stopped = aborted(shell.signal);
  const sizes = await sizesOn(admin, brokersOf(moves));
  const patience = new Patience(shell, clock);
  // Nothing is written to stdout meanwhile: the line may rewrite itself on a terminal that shows both.
  const progress = startProgress({ ...shell, isOutTerminal: false }, clock, "moved");
  try {
    for (let waitMs = LOOK_MS_MIN; !shell.signal.aborted; ) {
      const { open, lost } = await look(admin, moves);
      if (open.length === 0) return true;
      const state = await stateOf(admin, { moves, open, sizes });
      progress.update(state);
      patience.look(state, lost);
      await Promise.race([stopped, sleep(clock, waitMs)]);
      waitMs = Math.min(waitMs * 2, LOOK_MS_MAX);
    }
    return false;
  } finally {
    progress.end();
  }
}

/** Notices that nothing happens any more. */
class Patience {
  readonly #shell: Shell;
  readonly #clock: Clock;
  #best = -1;
  #movedMs: number;
  #foundMs: number;

  constructor(shell: Shell, clock: Clock) {
    this.#shell = shell;
    this.#clock = clock;
    this.#movedMs = this.#foundMs = clock.monotonicMs();
  }

  look({ bytes, records }: ProgressState, lost: readonly Move[]): void {
    const nowMs = this.#clock.monotonicMs();
    if (lost.length === 0) this.#foundMs = nowMs;
    else if (nowMs - this.#foundMs > LOST_MS) {
      const places = lost.slice(0, 3).map(placeOf).join(", ");
      throw new CliError(`${places}: the move was ended or changed by somebody else`, {
        hints: ["timberline cluster map", "timberline cluster throttle"],
      });
    }
    const done = bytes + records;
    if (done > this.#best) {
      this.#best = done;
      this.#movedMs = nowMs;
    }
    if (nowMs - this.#movedMs < STALL_MS) return;
    this.#movedMs = nowMs;
    this.#shell.warn(
      "nothing was copied for 30 s: a broker may be away, or the throttle below what is " +
        "produced (timberline cluster throttle --rate raises it)",
    );
  }
}

/** Moves that are not over, and of them those that are not under way either. */
async function look(admin: Admin, moves: readonly Move[]) {
  const names = new Set(moves.map(({ topic }) => topic));
  const moving = new Set((await admin.care.reassignments()).map(placeOf));
  const replicas = new Map<string, readonly number[]>();
  for (const { name: topic, partitions } of await admin.topics()) {
    if (!names.has(topic)) continue;
    for (const each of partitions) {
      replicas.set(placeOf({ topic, partition: each.partition }), each.replicas);
    }
  }
  const isThere = (move: Move) => {
    const now = replicas.get(placeOf(move));
    // A topic that is deleted meanwhile has nothing to move.
    return now === undefined || String(now) === String(move.replicas);
  };
  const open = moves.filter((move) => moving.has(placeOf(move)) || !isThere(move));
  return { open, lost: open.filter((move) => !moving.has(placeOf(move))) };
}

async function stateOf(
  admin: Admin,
  options: {
    readonly moves: readonly Move[];
    readonly open: readonly Move[];
    readonly sizes: Sizes;
  },
): Promise<ProgressState> {
  const { moves, open, sizes } = options;
  const now = await sizesOn(admin, [...new Set(open.flatMap(addedReplicas))]);
  const isOpen = new Set(open.map(placeOf));
  let total = 0;
  let copied = 0;
  for (const move of moves) {
    const size = sizeOf(sizes, move, move.from);
    for (const id of addedReplicas(move)) {
      total += size;
      const there = isOpen.has(placeOf(move)) ? sizeOf(now, move, [id]) : size;
      copied += Math.min(size, there);
    }
  }
  const done = moves.length - open.length;
  const fraction = total > 0 ? copied / total : done / moves.length;
  return { records: done, noun: "partition", bytes: copied, fraction };
}

function brokersOf(moves: readonly Move[]): number[] {
  return [...new Set(moves.flatMap(({ from }) => from))];
}

function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve, { keepAlive: true });
  });
}
