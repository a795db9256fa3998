// The checker finds what it is there for: a good history passes, and each way of breaking it is named.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkHistory } from "./checker.ts";
import { History, type SendEntry } from "./history.ts";

const partition = 0;

/** Six records of one producer, read by one reader and by a group that commits. */
function goodHistory(): History {
  const history = new History();
  const log = [];
  for (let number = 0; number < 6; number++) {
    history.sends.push(sent(number));
    log.push({ offset: number, value: `p-${number}` });
  }
  history.log.set(partition, log);
  history.polls.push(
    { reader: "r", session: 1, partition, records: log.slice(0, 4) },
    { reader: "r", session: 1, partition, records: log.slice(4) },
    { reader: "g.a", session: 1, partition, records: log.slice(0, 3) },
  );
  history.commits.push({ group: "g", partition, offset: 2, outcome: "ok", atPoll: 3 });
  history.polls.push({ reader: "g.b", session: 1, partition, records: log.slice(2) });
  history.groupEnds.push({ group: "g", partition, committed: 6 });
  return history;
}

function sent(number: number, more: Partial<SendEntry> = {}): SendEntry {
  return {
    producer: "p",
    number,
    value: `p-${number}`,
    partition,
    acks: -1,
    isIdempotent: true,
    outcome: "ok",
    offset: number,
    ...more,
  };
}

function rulesBroken(spoil: (history: History) => void): string[] {
  const history = goodHistory();
  spoil(history);
  return [...new Set(checkHistory(history).map(({ rule }) => rule))];
}

const logOf = (history: History) => history.log.get(partition)!;

test("checkHistory() lets a good history pass", () => {
  assert.equal(checkHistory(goodHistory()), []);
});

test("checkHistory() knows nothing of records that may be lost or be there", () => {
  const broken = rulesBroken((history) => {
    history.sends.push(sent(6, { acks: 1, isIdempotent: false }));
    history.sends.push(sent(7, { outcome: "info", offset: -1 }));
    history.sends.push(sent(8, { outcome: "info", offset: -1 }));
    logOf(history).push({ offset: 6, value: "p-8" });
  });
  assert.equal(broken, []);
});

const accidents: readonly [rule: string, spoil: (history: History) => void][] = [
  ["lost-write", (history) => void logOf(history).pop()],
  ["never-sent", (history) => void logOf(history).push({ offset: 6, value: "stranger" })],
  ["duplicate", (history) => void logOf(history).push({ offset: 6, value: "p-5" })],
  ["log-hole", (history) => void logOf(history).push({ offset: 7, value: "p-5" })],
  ["moved-write", (history) => void Object.assign(history.sends[3]!, { offset: 4 })],
  ["failed-write-visible", (history) => void Object.assign(history.sends[3]!, { outcome: "fail" })],
  [
    "nonmonotonic-send",
    (history) => {
      const log = logOf(history);
      [log[1], log[2]] = [
        { offset: 1, value: "p-2" },
        { offset: 2, value: "p-1" },
      ];
    },
  ],
  [
    "inconsistent-offsets",
    (history) => {
      const records = [{ offset: 2, value: "p-3" }];
      history.polls.push({ reader: "r2", session: 1, partition, records });
    },
  ],
  ["poll-skip", (history) => void history.polls.splice(0, 1, skipping(history, [0, 2, 3]))],
  [
    "nonmonotonic-poll",
    (history) => void history.polls.splice(0, 1, skipping(history, [0, 1, 1, 2, 3])),
  ],
  [
    "lost-commit",
    (history) => {
      const records = logOf(history).slice(1);
      history.polls.push({ reader: "g.c", session: 1, partition, records });
    },
  ],
  [
    "committed-unread",
    (history) => void history.groupEnds.push({ group: "g", partition, committed: 7 }),
  ],
];

for (const [rule, spoil] of accidents) {
  test(`checkHistory() names ${rule}`, () => {
    assert.ok(rulesBroken(spoil).includes(rule), `it found ${rulesBroken(spoil)}`);
  });
}

function skipping(history: History, offsets: readonly number[]) {
  const records = offsets.map((offset) => logOf(history)[offset]!);
  return { reader: "r", session: 1, partition, records };
}

test.run();
