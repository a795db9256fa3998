// The checker of the bank finds what is wrong with a history, and nothing wrong with a right one.

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Books,
  bankFaults,
  type Leg,
  readerFaults,
  type Seen,
  type Transfer,
} from "./history.ts";

const leg = (account: string, amount: number): Leg => {
  const partition = account === "b" ? 1 : 0;
  return { topic: "bank", partition, account, amount };
};
const open = [leg("a", 100), leg("b", 100)];
const pay = [leg("a", -5), leg("b", 5)];

function transfer(id: string, outcome: Transfer["outcome"], legs: readonly Leg[] = pay): Transfer {
  return { id, transactionalId: "t", legs, outcome, isWritten: outcome !== "unknown" };
}

function seen(id: string, legs: readonly Leg[], offset: number): Seen[] {
  return legs.map((each) => ({ ...each, id, offset }));
}

/** Three transfers: one committed, one aborted, one that nobody knows about; the last is there. */
function right(): Books {
  const committed = [...seen("0", open, 0), ...seen("1", pay, 2), ...seen("3", pay, 6)];
  return {
    transfers: [
      transfer("0", "committed", open),
      transfer("1", "committed"),
      transfer("2", "aborted"),
      transfer("3", "unknown"),
    ],
    readCommitted: committed,
    readUncommitted: [...committed, ...seen("2", pay, 4)],
    total: 200,
  };
}

test("bankFaults() has nothing to say of whole transfers and of ones that are not there", () => {
  assert.equal(bankFaults(right()), []);
  const books = right();
  const without = ({ id }: Seen) => id !== "3";
  assert.equal(
    bankFaults({
      ...books,
      readCommitted: books.readCommitted.filter(without),
      readUncommitted: books.readUncommitted.filter(without),
    }),
    [],
  );
});

const wrong: readonly [string, RegExp, (books: Books) => Partial<Books>][] = [
  [
    "half of a committed transfer",
    /committed transfer 1 .* is seen as \(bank-0 a -5\)/,
    (books) => ({ readCommitted: without(books, "1", "b") }),
  ],
  [
    "half of an unknown transfer",
    /unknown transfer 3/,
    (books) => ({ readCommitted: without(books, "3", "a") }),
  ],
  [
    "a record twice",
    /committed transfer 1/,
    (books) => ({ readCommitted: [...books.readCommitted, ...seen("1", pay.slice(0, 1), 9)] }),
  ],
  [
    "an aborted transfer",
    /aborted transfer 2/,
    (books) => ({ readCommitted: [...books.readCommitted, ...seen("2", pay, 4)] }),
  ],
  [
    "a transfer nobody made",
    /nobody made transfer 7/,
    (books) => ({ readCommitted: [...books.readCommitted, ...seen("7", pay, 8)] }),
  ],
  [
    "a lost committed transfer",
    /committed transfer 1 .* is seen as \(\)/,
    (books) => ({ readCommitted: books.readCommitted.filter(({ id }) => id !== "1") }),
  ],
  [
    "transfers in another order",
    /transfer 1 lies behind a later one/,
    (books) => ({
      readCommitted: swapped(books),
      readUncommitted: [...swapped(books), ...seen("2", pay, 4)],
    }),
  ],
  [
    "a committed record that read_uncommitted has not",
    /only read_committed shows 3/,
    (books) => ({ readUncommitted: books.readUncommitted.filter(({ id }) => id !== "3") }),
  ],
  [
    "an acknowledged record that is nowhere",
    /b 5 of transfer 2 was lost/,
    (books) => ({
      readUncommitted: books.readUncommitted.filter((r) => r.id !== "2" || r.account === "a"),
    }),
  ],
  [
    "a record of an aborted transfer twice in the log",
    /a -5 of transfer 2 is in the log 2 times/,
    (books) => ({ readUncommitted: [...books.readUncommitted, ...seen("2", pay.slice(0, 1), 9)] }),
  ],
  ["a sum that changed", /hold 200, not 201/, () => ({ total: 201 })],
];

for (const [what, fault, change] of wrong) {
  test(`bankFaults() finds ${what}`, () => {
    const books = right();
    assert.match(bankFaults({ ...books, ...change(books) }).join("\n"), fault);
  });
}

test("readerFaults() finds what one reader saw twice, not at all, or out of order", () => {
  const wanted = right().readCommitted;
  assert.equal(readerFaults("tail", wanted, wanted), []);
  const faults = (records: readonly Seen[]) => readerFaults("tail", records, wanted).join("\n");
  assert.match(faults(wanted.slice(1)), /tail did not see 0: bank-0 a 100 at 0/);
  assert.match(faults([...wanted, wanted[5]!]), /twice, or nobody else did/);
  assert.match(
    faults([wanted[2]!, wanted[0]!, wanted[1]!, ...wanted.slice(3)]),
    /offset 0 of bank-0 after 2/,
  );
});

function without(books: Books, id: string, account: string): Seen[] {
  return books.readCommitted.filter((record) => record.id !== id || record.account !== account);
}

/** The offsets of transfers 1 and 3 exchanged. */
function swapped(books: Books): Seen[] {
  const offsets: Record<string, number> = { "1": 6, "3": 2 };
  return books.readCommitted.map((record) => ({
    ...record,
    offset: offsets[record.id] ?? record.offset,
  }));
}

test.run();
