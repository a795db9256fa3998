// The storm's checks on a small history that is right, and on the same history with one thing wrong at a time.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkGroup } from "./checks.ts";
import type { GroupHistory, Life, MemberEvent } from "./history.ts";

const ends = [100, 50];

function holds(atMs: number, generation: number, ...partitions: number[]): MemberEvent {
  return { kind: "holds", atMs, memberId: "m", generation, partitions };
}

function read(atMs: number, partition: number, from: number, to: number): MemberEvent {
  return { kind: "read", atMs, partition, from, to };
}

function committed(atMs: number, ...offsets: [number, number][]): MemberEvent {
  return { kind: "committed", atMs, sentMs: atMs - 2, offsets };
}

/** "a" reads all of 1 and some of 0, and dies after a commit; "b" takes over what was committed. */
function history(): Mutable<GroupHistory> {
  const a = [
    ...[holds(10, 1, 0, 1), read(11, 1, 0, 50), read(12, 0, 0, 40)],
    ...[committed(20, [0, 40], [1, 50]), read(21, 0, 40, 70)],
  ];
  const b = [holds(40, 2, 0, 1), read(41, 0, 40, 100), committed(50, [0, 100])];
  return {
    group: "g",
    leavesOneUnread: false,
    goesBack: false,
    lives: [
      { owner: "a", startedMs: 0, endedMs: 30, end: "crash", events: a },
      { owner: "b", startedMs: 5, endedMs: 60, end: "leave", events: b },
    ],
    log: {
      commits: [
        { atMs: 19, partition: 0, offset: 40 },
        { atMs: 19, partition: 1, offset: 50 },
        { atMs: 49, partition: 0, offset: 100 },
      ],
      ownerships: [
        { generation: 1, isWhole: true, members: [{ name: "a", partitions: [0, 1] }] },
        { generation: 2, isWhole: true, members: [{ name: "b", partitions: [0, 1] }] },
      ],
    },
    sights: [{ atMs: 15, members: [{ name: "a", partitions: [0, 1] }] }],
    committed: [100, 50],
  };
}

/** Events are replaced, all else is changed in place. */
type Mutable<T> = {
  -readonly [K in keyof T]: T[K] extends readonly MemberEvent[]
    ? MemberEvent[]
    : T[K] extends object
      ? Mutable<T[K]>
      : T[K];
};

function faultsOf(change: (history: Mutable<GroupHistory>) => void): readonly string[] {
  const changed = history();
  change(changed);
  return checkGroup(changed, ends).faults;
}

function life(changed: Mutable<GroupHistory>, at: number): Mutable<Life> {
  return changed.lives[at]!;
}

test("checkGroup() finds nothing wrong with a crash and a takeover, and counts", () => {
  const { faults, figures } = checkGroup(history(), ends);
  assert.equal(faults, []);
  assert.equal(figures, {
    lives: 2,
    crashes: 1,
    leaves: 1,
    gaveUp: 0,
    generations: 2,
    commits: 3,
    resumed: 3,
    recordsRead: 180,
    wentBack: 0,
    leftUnread: 0,
    readAgain: 30,
    zombies: 0,
  });
});

test("checkGroup() finds records that nobody read", () => {
  const faults = faultsOf((changed) => life(changed, 0).events.splice(1, 1));
  assert.equal(faults, ["g: nobody read 1:0 up to 50, not included"]);
});

test("checkGroup() excuses one record behind the last of a member of kcat that left, and no more", () => {
  const leftAt = (to: number, leavesOneUnread = true, end: Life["end"] = "leave") =>
    faultsOf((changed) => {
      changed.leavesOneUnread = leavesOneUnread;
      life(changed, 1).end = end;
      life(changed, 1).events[1] = read(41, 0, 40, to);
    });
  assert.equal(leftAt(99), []);
  assert.equal(leftAt(98), ["g: nobody read 0:98 up to 100, not included"]);
  assert.equal(leftAt(99, false), ["g: nobody read 0:99 up to 100, not included"]);
  assert.equal(leftAt(99, true, "crash"), ["g: nobody read 0:99 up to 100, not included"]);
});

test("checkGroup() finds a record that was skipped", () => {
  const faults = faultsOf((changed) => {
    life(changed, 1).events[1] = read(41, 0, 71, 100);
  });
  assert.equal(faults, [
    "g: nobody read 0:70 up to 71, not included",
    "g: b went on at 0:71, but 40 was committed",
  ]);
});

test("checkGroup() finds reading that goes on elsewhere than committed", () => {
  for (const from of [0, 39, 41, 70]) {
    const faults = faultsOf((changed) => {
      life(changed, 1).events[1] = read(41, 0, from, 100);
    });
    assert.equal(faults, [`g: b went on at 0:${from}, but 40 was committed`]);
  }
});

test("checkGroup() lets a client of that habit go back, but not forward, and not by a wrong answer", () => {
  const goingOn = (from: number, told: number) =>
    faultsOf((changed) => {
      changed.goesBack = true;
      const answer: MemberEvent = { kind: "told", atMs: 41, offsets: [[0, told]] };
      life(changed, 1).events.splice(1, 1, answer, read(41, 0, from, 100));
    });
  assert.equal(goingOn(40, 40), []);
  assert.equal(goingOn(0, 40), []);
  assert.equal(goingOn(41, 40), ["g: b went on at 0:41, but 40 was committed"]);
  assert.equal(goingOn(0, -1), ["g: b was told 0:-1, but 40 was committed"]);
});

test("checkGroup() finds a jump within one ownership", () => {
  const faults = faultsOf((changed) => {
    life(changed, 1).events.splice(2, 0, read(45, 0, 10, 100));
  });
  assert.equal(faults, ["g: b went on at 0:10, but 40 was committed"]);
});

test("checkGroup() lets a member go back to what it committed meanwhile", () => {
  const faults = faultsOf((changed) => {
    life(changed, 0).events.push(read(22, 0, 40, 70));
  });
  assert.equal(faults, []);
});

test("checkGroup() finds two owners in one generation, by what members said", () => {
  const faults = faultsOf((changed) => {
    life(changed, 1).events[0] = holds(40, 1, 0);
  });
  assert.equal(faults, ["g: a and b both had partition 0 in generation 1"]);
});

test("checkGroup() takes a static member that returns in its generation for the same owner", () => {
  const faults = faultsOf((changed) => {
    life(changed, 1).owner = "a";
    life(changed, 1).events[0] = holds(40, 1, 0, 1);
  });
  assert.equal(faults, []);
});

test("checkGroup() finds two owners in the coordinator's log and in descriptions", () => {
  const both = [
    { name: "a", partitions: [0, 1] },
    { name: "b", partitions: [1] },
  ];
  const inLog = faultsOf(({ log }) => {
    log.ownerships[1] = { generation: 2, isWhole: false, members: both };
  });
  assert.equal(inLog, ["g: generation 2 of the coordinator's log gives 1 to a and b"]);
  const seen = faultsOf(({ sights }) => sights.push({ atMs: 16, members: both }));
  assert.equal(seen, ["g: a description gives 1 to a and b"]);
});

test("checkGroup() finds partitions without an owner, and generations that go back", () => {
  const faults = faultsOf(({ log }) => {
    log.ownerships[1] = {
      generation: 0,
      isWhole: true,
      members: [{ name: "b", partitions: [0] }],
    };
  });
  assert.equal(faults, [
    "g: generation 0 of the coordinator's log follows 1",
    "g: generation 0 of the coordinator's log gives out 1 partitions of 2",
  ]);
});

test("checkGroup() finds an acknowledged commit that was lost", () => {
  const faults = faultsOf((changed) => {
    life(changed, 0).events.push(committed(25, [0, 60]));
  });
  assert.equal(faults, ["g: the commit 0:60 of a is not in the log"]);
});

test("checkGroup() finds a group that is not at the end, or not where its log says", () => {
  const faults = faultsOf((changed) => {
    changed.committed[0] = 40;
  });
  assert.equal(faults, ["g: 0 is at 40, the log says 100", "g: 0 is at 40 of 100"]);
});

test("checkGroup() lets members that were put out read on, but not commit", () => {
  const late = (...more: MemberEvent[]) =>
    faultsOf((changed) => {
      life(changed, 0).endedMs = 48;
      life(changed, 0).events.push(...more);
    });
  assert.equal(late(read(42, 0, 70, 80)), []);
  const faults = late(read(42, 0, 70, 100), committed(49, [0, 99]));
  assert.equal(faults, ["g: a committed 0, b had it"]);
});

test.run();
