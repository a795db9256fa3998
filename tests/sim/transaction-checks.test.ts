// The checks of transactions and of compacted topics find what they are there for.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkBalances } from "./balance-checks.ts";
import { History, type SendEntry, type TransactionEntry } from "./history.ts";
import { checkTransactions } from "./transaction-checks.ts";

const partition = 0;

/** Three transactions of two records: one committed, one aborted, one of which nobody knows. */
function transfers(): History["transfers"] {
  const { transfers: told } = new History();
  const outcomes = ["committed", "aborted", "info"] as const;
  for (const [number, outcome] of outcomes.entries()) {
    const values = [0, 1].map((i) => ({ partition, value: `t-${number}-${i}` }));
    told.transactions.push({ number, values, outcome });
  }
  told.log.set(partition, recordsOf([0, "t-0-0"], [1, "t-0-1"], [6, "t-2-0"], [7, "t-2-1"]));
  told.polls.push({ reader: "r", session: 1, partition, records: told.log.get(partition)! });
  return told;
}

/** Two keys, four records, of which compaction left three. */
function balances(): History["balances"] {
  const { balances: told } = new History();
  for (const [number, key] of ["a", "b", "a", "b"].entries()) told.sends.push(saved(number, key));
  const kept = [1, 2, 3].map((number) => {
    const { key, value, offset } = told.sends[number]!;
    return { key: key!, value, offset };
  });
  told.log.set(partition, kept);
  told.polls.push({ reader: "r", session: 1, partition, records: kept.slice(1) });
  return told;
}

function saved(number: number, key: string): SendEntry {
  const sent = { producer: "p", number, value: `p-${number}`, partition, key, offset: number };
  return { ...sent, acks: -1, isIdempotent: true, outcome: "ok" };
}

function recordsOf(...rows: readonly (readonly [offset: number, value: string])[]) {
  return rows.map(([offset, value]) => ({ offset, value }));
}

test("checkTransactions() and checkBalances() let good histories pass", () => {
  assert.equal([...checkTransactions(transfers())], []);
  assert.equal([...checkBalances(balances())], []);
});

test("checkTransactions() knows nothing of an unknown transaction that is there or not", () => {
  const told = transfers();
  told.log.get(partition)!.splice(2);
  told.polls.length = 0;
  assert.equal([...checkTransactions(told)], []);
});

const outcomeOf = (told: History["transfers"], number: number): TransactionEntry =>
  told.transactions[number]!;

const brokenTransfers: readonly [rule: string, spoil: (told: History["transfers"]) => void][] = [
  ["lost-write", (told) => void told.log.get(partition)!.shift()],
  ["torn-transaction", (told) => void told.log.get(partition)!.pop()],
  ["aborted-read", (told) => void Object.assign(outcomeOf(told, 2), { outcome: "aborted" })],
  ["never-sent", (told) => void told.log.get(partition)!.push({ offset: 9, value: "stranger" })],
  ["duplicate", (told) => void told.log.get(partition)!.push({ offset: 9, value: "t-2-1" })],
  ["precommitted-read", (told) => void told.early.push("r read t-2-0")],
  ["nonmonotonic-send", (told) => told.log.set(partition, [...told.log.get(partition)!].reverse())],
  [
    "nonmonotonic-poll",
    (told) => void told.polls.push({ ...told.polls[0]!, records: recordsOf([1, "t-0-1"]) }),
  ],
  [
    "inconsistent-offsets",
    (told) =>
      void told.polls.push({
        reader: "s",
        session: 1,
        partition,
        records: recordsOf([0, "t-0-1"]),
      }),
  ],
];

for (const [rule, spoil] of brokenTransfers) {
  test(`checkTransactions() names ${rule}`, () => {
    const told = transfers();
    spoil(told);
    const rules = [...checkTransactions(told)].map((violation) => violation.rule);
    assert.ok(rules.includes(rule), `it found ${rules}`);
  });
}

const brokenBalances: readonly [rule: string, spoil: (told: History["balances"]) => void][] = [
  ["lost-write", (told) => void told.log.get(partition)!.pop()],
  [
    "never-sent",
    (told) => void told.log.get(partition)!.push({ offset: 4, key: "a", value: "p-3" }),
  ],
  [
    "nonmonotonic-send",
    (told) => void told.log.get(partition)!.push({ offset: 4, key: "a", value: "p-0" }),
  ],
  [
    "nonmonotonic-poll",
    (told) => void told.log.get(partition)!.push({ offset: 1, key: "b", value: "p-3" }),
  ],
];

for (const [rule, spoil] of brokenBalances) {
  test(`checkBalances() names ${rule}`, () => {
    const told = balances();
    spoil(told);
    const rules = [...checkBalances(told)].map((violation) => violation.rule);
    assert.ok(rules.includes(rule), `it found ${rules}`);
  });
}

test.run();
