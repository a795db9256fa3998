// What must hold of transactions: all of one or nothing of it, nothing that was aborted, nothing before the commit, each
// record once and in order. Pure.

import type { History, TransactionEntry, Violation } from "./history.ts";

type Transfers = History["transfers"];

export function* checkTransactions(transfers: Transfers): Generator<Violation> {
  const { transactions, early, log } = transfers;
  for (const what of early) yield { rule: "precommitted-read", what };
  const owners = new Map<string, TransactionEntry>();
  for (const entry of transactions) {
    for (const { value } of entry.values) owners.set(value, entry);
  }
  yield* checkReads(transfers, owners);
  const places = new Map<string, number>();
  for (const [partition, records] of log) {
    let newest = -1;
    for (const { offset, value } of records) {
      if (places.has(value))
        yield { rule: "duplicate", what: `${value} is at ${partition}@${offset} too` };
      places.set(value, offset);
      const number = owners.get(value)?.number ?? newest;
      if (number < newest) {
        const what = `${value} at ${partition}@${offset} comes after transaction ${newest}`;
        yield { rule: "nonmonotonic-send", what };
      }
      newest = Math.max(newest, number);
    }
  }
  for (const entry of transactions) yield* checkWhole(entry, places);
}

/** Of all that anybody read: it was sent, not aborted, and is the same for all at one offset. */
function* checkReads(
  { polls, log }: Transfers,
  owners: ReadonlyMap<string, TransactionEntry>,
): Generator<Violation> {
  const at = new Map<string, string>();
  const whole = [...log].map(([partition, records]) => ({ reader: "the log", partition, records }));
  for (const { reader, partition, records } of [...polls, ...whole]) {
    for (const { offset, value } of records) {
      const where = `${partition}@${offset}`;
      const outcome = owners.get(value)?.outcome;
      if (outcome === undefined)
        yield { rule: "never-sent", what: `${reader} read ${value} at ${where}` };
      if (outcome === "aborted" || outcome === "open") {
        yield { rule: "aborted-read", what: `${reader} read ${value} at ${where}` };
      }
      const other = at.get(where) ?? value;
      at.set(where, other);
      if (other === value) continue;
      yield { rule: "inconsistent-offsets", what: `${where} is ${other}, ${reader} read ${value}` };
    }
  }
  yield* checkCourse(polls);
}

/** Nobody goes back. Offsets are left out where a marker or an aborted record is. */
function* checkCourse(polls: Transfers["polls"]): Generator<Violation> {
  const last = new Map<string, number>();
  for (const { reader, session, partition, records } of polls) {
    const key = `${reader}/${session}/${partition}`;
    for (const { offset } of records) {
      const before = last.get(key) ?? -1;
      last.set(key, offset);
      if (offset > before) continue;
      yield { rule: "nonmonotonic-poll", what: `${key} read ${offset} after ${before}` };
    }
  }
}

function* checkWhole(
  { number, values, outcome }: TransactionEntry,
  places: ReadonlyMap<string, number>,
): Generator<Violation> {
  const there = values.filter(({ value }) => places.has(value)).length;
  if (there === values.length || (there === 0 && outcome !== "committed")) return;
  const rule = outcome === "committed" ? "lost-write" : "torn-transaction";
  yield {
    rule,
    what: `${there} of ${values.length} records of transaction ${number} (${outcome})`,
  };
}
