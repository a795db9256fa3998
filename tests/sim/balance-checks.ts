// What must hold of a compacted topic: of each key the newest acknowledged record or a newer one is there, in the order in
// which it was sent, and nobody reads what was never sent. Pure.

import type { History, ReadRecord, SendEntry, Violation } from "./history.ts";

type Balances = History["balances"];

export function* checkBalances({ sends, polls, log }: Balances): Generator<Violation> {
  const sent = new Map(sends.map((send) => [send.value, send]));
  const readings = new Map<string, ReadRecord[]>();
  for (const { reader, session, records } of polls) {
    const key = `${reader}/${session}`;
    readings.set(key, [...(readings.get(key) ?? []), ...records]);
  }
  const atEnd = [...log.values()].flat();
  readings.set("the log", atEnd);
  for (const [reader, records] of readings) yield* checkReading(reader, records, sent);
  if (log.size > 0) yield* checkNewest(sends, atEnd, sent);
}

function* checkReading(
  reader: string,
  records: readonly ReadRecord[],
  sent: ReadonlyMap<string, SendEntry>,
): Generator<Violation> {
  let last = -1;
  const newest = new Map<string, number>();
  for (const { offset, key = "", value } of records) {
    if (offset <= last)
      yield { rule: "nonmonotonic-poll", what: `${reader} read ${offset} after ${last}` };
    last = offset;
    const send = sent.get(value);
    if (send === undefined || send.key !== key) {
      yield { rule: "never-sent", what: `${reader} read ${value} of ${key} at ${offset}` };
      continue;
    }
    const before = newest.get(key) ?? -1;
    newest.set(key, send.number);
    if (send.number > before) continue;
    yield { rule: "nonmonotonic-send", what: `${reader} read ${value} of ${key} after ${before}` };
  }
}

function* checkNewest(
  sends: readonly SendEntry[],
  atEnd: readonly ReadRecord[],
  sent: ReadonlyMap<string, SendEntry>,
): Generator<Violation> {
  const kept = new Map<string, number>();
  for (const { key = "", value } of atEnd) kept.set(key, sent.get(value)?.number ?? -1);
  const promised = new Map<string, SendEntry>();
  for (const send of sends) if (send.outcome === "ok") promised.set(send.key ?? "", send);
  for (const [key, { value, number }] of promised) {
    if ((kept.get(key) ?? -1) >= number) continue;
    yield {
      rule: "lost-write",
      what: `${value} of ${key} was acknowledged; ${kept.get(key)} is kept`,
    };
  }
}
