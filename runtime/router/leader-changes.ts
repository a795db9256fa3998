// Leader changes, as those meet them who ask a leader: which errors say that another one leads, and how not to wait
// for one that has fallen silent.

import { BrokerError, type ErrorName } from "../errors.ts";
import type { Clock, Timer } from "../platform.ts";

/** How often somebody who waits for an answer looks whether another broker leads. */
const lookMs = 100;

/** After these the next leader is asked. */
const stale: ReadonlySet<ErrorName> = new Set<ErrorName>([
  "BROKER_NOT_AVAILABLE",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "FENCED_LEADER_EPOCH",
  "KAFKA_STORAGE_ERROR",
  "LEADER_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "NOT_COORDINATOR",
  "NOT_LEADER_OR_FOLLOWER",
  "OFFSET_NOT_AVAILABLE",
  "UNKNOWN_LEADER_EPOCH",
  "UNKNOWN_TOPIC_ID",
  "UNKNOWN_TOPIC_OR_PARTITION",
]);

export function isStale(error: unknown): boolean {
  return error instanceof BrokerError && stale.has(error.code);
}

export function wait(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** The answer, or NOT_LEADER_OR_FOLLOWER as soon as another broker leads: the one asked may never answer. */
export function untilLedElsewhere<T>(
  clock: Clock,
  answer: Promise<T>,
  isLeader: () => boolean,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: Timer;
    const look = () => {
      if (isLeader()) timer = clock.after(lookMs, look);
      else reject(new BrokerError("NOT_LEADER_OR_FOLLOWER", "another broker leads by now"));
    };
    timer = clock.after(lookMs, look);
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}
