// The checks a history must pass. Pure: a history goes in, sentences come out. The rules are those of Jepsen's Kafka
// workload; `checker.test.ts` breaks each of them.

import { checkBalances } from "./balance-checks.ts";
import type { History, ReadRecord, SendEntry, Violation } from "./history.ts";
import { checkTransactions } from "./transaction-checks.ts";

/** Of one rule, so many are told. */
const toldPerRuleMax = 5;

export function checkHistory(history: History): Violation[] {
  const sent = new Map(history.sends.map((send) => [send.value, send]));
  const found = [
    ...checkReads(history, sent),
    ...checkOrder(history),
    ...checkLog(history, sent),
    ...checkGroups(history),
    ...checkTransactions(history.transfers),
    ...checkBalances(history.balances),
  ];
  const told = new Map<string, number>();
  return found.filter(({ rule }) => {
    const count = (told.get(rule) ?? 0) + 1;
    told.set(rule, count);
    return count <= toldPerRuleMax;
  });
}

/** What anybody read was sent, did not fail, and is the same for all at one offset. */
function* checkReads(history: History, sent: ReadonlyMap<string, SendEntry>): Generator<Violation> {
  const at = new Map<string, string>();
  for (const { who, partition, records } of allReads(history)) {
    for (const { offset, value } of records) {
      const where = `${partition}@${offset}`;
      const send = sent.get(value);
      if (send === undefined || send.partition !== partition) {
        yield { rule: "never-sent", what: `${who} read ${value} at ${where}` };
      } else if (send.outcome === "fail") {
        yield { rule: "failed-write-visible", what: `${who} read ${value} at ${where}` };
      }
      const other = at.get(where);
      if (other === undefined) at.set(where, value);
      else if (other !== value) {
        yield { rule: "inconsistent-offsets", what: `${where} is ${other}, ${who} read ${value}` };
      }
    }
  }
}

function* allReads({ polls, log }: History) {
  for (const { reader, partition, records } of polls) yield { who: reader, partition, records };
  for (const [partition, records] of log) yield { who: "the log", partition, records };
}

/** A reader meets offset after offset, none twice, none left out. */
function* checkOrder({ polls }: History): Generator<Violation> {
  const last = new Map<string, number>();
  for (const { reader, session, partition, records } of polls) {
    const key = `${reader}/${session}/${partition}`;
    for (const { offset } of records) {
      const before = last.get(key);
      last.set(key, offset);
      if (before === undefined || offset === before + 1) continue;
      const rule = offset <= before ? "nonmonotonic-poll" : "poll-skip";
      yield { rule, what: `${key} read ${offset} after ${before}` };
    }
  }
}

/** Acknowledged records are in the log, where it was said, once, in the order sent. */
function* checkLog(history: History, sent: ReadonlyMap<string, SendEntry>): Generator<Violation> {
  const places = new Map<string, number[]>();
  for (const [partition, records] of history.log) {
    yield* checkHoles(partition, records);
    const newest = new Map<string, SendEntry>();
    for (const { offset, value } of records) {
      places.set(value, [...(places.get(value) ?? []), offset]);
      const send = sent.get(value);
      if (!send?.isIdempotent) continue;
      const before = newest.get(send.producer);
      newest.set(send.producer, send);
      if (before && before.number > send.number) {
        const what = `${value} at ${partition}@${offset} comes after ${before.value}`;
        yield { rule: "nonmonotonic-send", what };
      }
    }
  }
  for (const send of history.sends) yield* checkPlaces(send, places.get(send.value) ?? []);
}

function* checkPlaces(send: SendEntry, offsets: readonly number[]): Generator<Violation> {
  const { value, partition, outcome, offset, acks, isIdempotent } = send;
  const isPromised = outcome === "ok" && acks === -1;
  const where = `${partition}@${offset}`;
  if (isPromised && offsets.length === 0) {
    yield { rule: "lost-write", what: `${value} was acknowledged at ${where}` };
  } else if (isPromised && offset >= 0 && !offsets.includes(offset)) {
    yield { rule: "moved-write", what: `${value}, acknowledged at ${where}, is at ${offsets}` };
  }
  if (isIdempotent && offsets.length > 1) {
    yield { rule: "duplicate", what: `${value} is at ${offsets.map((o) => `${partition}@${o}`)}` };
  }
}

function* checkHoles(partition: number, records: readonly ReadRecord[]): Generator<Violation> {
  for (const [index, { offset }] of records.entries()) {
    const before = records[index - 1]?.offset ?? -1;
    if (offset === before + 1) continue;
    yield { rule: "log-hole", what: `${partition}@${offset} comes after ${before}` };
  }
}

/** A group goes on behind what it committed, and never commits what none of it has seen. */
function* checkGroups(history: History): Generator<Violation> {
  const seen = new Map<string, number>();
  const committed = new Map<string, number>();
  const begun = new Set<string>();
  const commits = history.commits.filter(({ outcome }) => outcome === "ok");
  let next = 0;
  const passCommits = (until: number) => {
    for (; next < commits.length && commits[next]!.atPoll <= until; next++) {
      const { group, partition, offset } = commits[next]!;
      const key = `${group}/${partition}`;
      committed.set(key, Math.max(committed.get(key) ?? 0, offset));
    }
  };
  for (const [index, { reader, session, partition, records }] of history.polls.entries()) {
    passCommits(index);
    const [group = ""] = reader.split(".");
    const key = `${group}/${partition}`;
    const first = records[0]?.offset;
    const isNew = !begun.has(`${reader}/${session}/${partition}`);
    begun.add(`${reader}/${session}/${partition}`);
    const from = committed.get(key);
    if (isNew && from !== undefined && first !== undefined && first < from) {
      const what = `${reader} begins ${partition} at ${first}, ${from} was committed`;
      yield { rule: "lost-commit", what };
    }
    const last = records.at(-1)?.offset ?? -1;
    seen.set(key, Math.max(seen.get(key) ?? -1, last));
  }
  for (const { group, partition, committed: offset } of history.groupEnds) {
    const last = seen.get(`${group}/${partition}`) ?? -1;
    if (offset <= last + 1) continue;
    const what = `${group} committed ${partition}@${offset}, but read only up to ${last}`;
    yield { rule: "committed-unread", what };
  }
}
