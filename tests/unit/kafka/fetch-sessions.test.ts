// Fetch sessions (KIP-227): what is remembered, what is told, what is refused, what makes room.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { errorCodes } from "../../../runtime/kafka/error-codes.ts";
import {
  type AskedPartition,
  FetchSessions,
  type FetchTurn,
  type News,
} from "../../../runtime/kafka/fetch-sessions.ts";
import { zeroUuid } from "../../../runtime/kafka/uuid.ts";
import { fakePlatform } from "./fakes.ts";

function asked(partition: number, offset = 0, topic = "t"): AskedPartition {
  const base = {
    topic,
    topicId: zeroUuid,
    bytesMax: 100,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    highWatermark: -1,
  };
  return { ...base, partition, offset };
}

function news(given: Partial<News> = {}): News {
  return { errorCode: 0, highWatermark: 5, logStartOffset: 0, recordsBytes: 0, ...given };
}

function setUp(limits = { sessionsMax: 10, partitionsMax: 100, evictionMsMin: 1000 }) {
  const { platform, clock } = fakePlatform();
  const sessions = new FetchSessions(platform, limits);
  const begin = (
    sessionId: number,
    sessionEpoch: number,
    partitions: AskedPartition[],
    forgotten: AskedPartition[] = [],
    byId = false,
  ) => sessions.begin({ sessionId, sessionEpoch, byId, asked: partitions, forgotten });
  const open = (...partitions: number[]) => {
    const turn = begin(
      0,
      0,
      partitions.map((p) => asked(p)),
    );
    return turn.finish(partitions.map(() => news())).sessionId;
  };
  return { sessions, clock, begin, open };
}

function told(turn: FetchTurn, answers: News[]): number[] {
  const { included } = turn.finish(answers);
  return turn.partitions.filter((_, i) => included(i)).map(({ partition }) => partition);
}

test("begin() without a session answers everything and remembers nothing", () => {
  const { sessions, begin } = setUp();
  const turn = begin(0, -1, [asked(0), asked(1)]);
  assert.equal(told(turn, [news(), news()]), [0, 1]);
  assert.is(turn.finish([news(), news()]).sessionId, 0);
  assert.is(sessions.stats.sessions, 0);
});

test("a full fetch with epoch 0 makes a session; later ones name only what changed", () => {
  const { begin, open } = setUp();
  const id = open(0, 1, 2);
  assert.ok(id > 0);
  const turn = begin(id, 1, [asked(1, 7)]);
  assert.equal(
    turn.partitions.map(({ partition, offset }) => [partition, offset]),
    [
      [0, 0],
      [1, 7],
      [2, 0],
    ],
  );
});

test("an incremental answer holds partitions with data, moved offsets or errors, and no others", () => {
  const { begin, open } = setUp();
  const id = open(0, 1, 2, 3);
  const answers = [
    news(),
    news({ recordsBytes: 10 }),
    news({ highWatermark: 6 }),
    news({ logStartOffset: 1 }),
  ];
  assert.equal(told(begin(id, 1, []), answers), [1, 2, 3]);
});

test("highWatermarkKnown() is what the client brought to a session, then what it was told", () => {
  const { begin } = setUp();
  const first = begin(0, 0, [{ ...asked(0), highWatermark: 7 }]);
  assert.is(first.highWatermarkKnown(0), 7);
  const { sessionId } = first.finish([news({ highWatermark: 9 })]);
  assert.is(begin(sessionId, 1, []).highWatermarkKnown(0), 9);
});

test("an error is told every time, and its end is told once", () => {
  const { begin, open } = setUp();
  const id = open(0);
  const failed = news({ errorCode: errorCodes.UNKNOWN_TOPIC_OR_PARTITION, highWatermark: -1 });
  assert.equal(told(begin(id, 1, []), [failed]), [0]);
  assert.equal(told(begin(id, 2, []), [failed]), [0]);
  assert.equal(told(begin(id, 3, []), [news()]), [0]);
  assert.equal(told(begin(id, 4, []), [news()]), []);
});

test("partitions that gave data are served last the next time", () => {
  const { begin, open } = setUp();
  const id = open(0, 1, 2);
  begin(id, 1, []).finish([news({ recordsBytes: 9 }), news(), news()]);
  assert.equal(
    begin(id, 2, []).partitions.map(({ partition }) => partition),
    [1, 2, 0],
  );
});

test("forgotten partitions leave; a session without any ends", () => {
  const { sessions, begin, open } = setUp();
  const id = open(0, 1);
  const left = begin(id, 1, [], [asked(0)]).partitions;
  assert.equal(
    left.map(({ partition }) => partition),
    [1],
  );
  assert.is(begin(id, 2, [], [asked(1)]).finish([]).sessionId, 0);
  assert.equal(sessions.stats, { sessions: 0, partitions: 0 });
});

test("unknown sessions, wrong epochs and a change to topic ids are refused by their codes", () => {
  const { begin, open } = setUp();
  const id = open(0);
  assert.is(begin(id + 1, 1, []).errorCode, 70);
  assert.is(begin(id, 2, []).errorCode, 71);
  assert.is(begin(id, 1, [], [], true).errorCode, 106);
  assert.is(begin(id, 1, []).errorCode, 0);
  assert.is(begin(id, 1, []).errorCode, 71);
});

test("the final epoch ends the session", () => {
  const { sessions, begin, open } = setUp();
  const id = open(0);
  begin(id, -1, [asked(0)]);
  assert.is(sessions.stats.sessions, 0);
  assert.is(begin(id, 1, []).errorCode, 70);
});

test("a new full fetch replaces the session it names", () => {
  const { sessions, begin, open } = setUp();
  const id = open(0, 1);
  const next = begin(id, 0, [asked(0)]).finish([news()]).sessionId;
  assert.is.not(next, id);
  assert.equal(sessions.stats, { sessions: 1, partitions: 1 });
});

test("a full cache gives no session, then evicts the one that was unused longest", () => {
  const { sessions, clock, begin, open } = setUp({
    sessionsMax: 2,
    partitionsMax: 100,
    evictionMsMin: 1000,
  });
  const [first, second] = [open(0), open(1)];
  assert.is(open(2), 0);
  clock.advance(800);
  begin(first, 1, []).finish([news()]);
  clock.advance(300);
  const third = open(2);
  assert.ok(third > 0);
  assert.is(begin(second, 1, []).errorCode, 70);
  assert.is(begin(first, 2, []).errorCode, 0);
  assert.is(sessions.stats.sessions, 2);
});

test("a larger session may take the place of a smaller one that had its time", () => {
  const { clock, begin, open } = setUp({ sessionsMax: 2, partitionsMax: 100, evictionMsMin: 1000 });
  const [small, large] = [open(0), open(0, 1, 2)];
  clock.advance(1001);
  begin(small, 1, []).finish([news()]);
  begin(large, 1, []).finish([news(), news(), news()]);
  assert.is(open(5), 0);
  assert.ok(open(5, 6) > 0);
  assert.is(begin(small, 2, []).errorCode, 70);
});

test("the partitions of all sessions together are limited", () => {
  const { sessions, open } = setUp({ sessionsMax: 10, partitionsMax: 4, evictionMsMin: 1000 });
  assert.ok(open(0, 1, 2) > 0);
  assert.is(open(0, 1), 0);
  assert.is(open(0, 1, 2, 3, 4), 0);
  assert.is(sessions.stats.partitions, 3);
});

test.run();
