// What a bank that keeps its books in transactions must look like afterwards, and what is wrong with one that does
// not: transfers as their producers know them against records as readers saw them. Pure.

/** One record of a transfer: an account lives in one partition. */
export interface Leg {
  readonly topic: string;
  readonly partition: number;
  readonly account: string;
  /** Negative: a debit. */
  readonly amount: number;
}

export interface Transfer {
  readonly id: string;
  /** Transfers of one transactional id happen one after another. */
  readonly transactionalId: string;
  readonly legs: readonly Leg[];
  /** "unknown": its producer was killed, or got no answer, when it had asked for the commit. */
  readonly outcome: "committed" | "aborted" | "unknown";
  /** All its records were acknowledged before anything went wrong. */
  readonly isWritten: boolean;
}

/** One record as a reader saw it. */
export interface Seen extends Leg {
  readonly offset: number;
  readonly id: string;
}

export interface Books {
  readonly transfers: readonly Transfer[];
  readonly readCommitted: readonly Seen[];
  readonly readUncommitted: readonly Seen[];
  /** What all accounts hold together at any time. */
  readonly total: number;
}

const faultsMax = 20;

/** One sentence per fault, the first ones; none when every transfer is whole or not there at all. */
export function bankFaults(books: Books): string[] {
  const { transfers, readCommitted, readUncommitted, total } = books;
  const faults = [
    ...transferFaults(transfers, readCommitted),
    ...orderFaults(transfers, readCommitted),
    ...supersetFaults(readCommitted, readUncommitted),
    ...writtenFaults(transfers, readUncommitted),
  ];
  const sum = readCommitted.reduce((all, { amount }) => all + amount, 0);
  if (sum !== total) faults.push(`the accounts hold ${sum}, not ${total}`);
  return faults.slice(0, faultsMax);
}

/** The same records, each once: what a reader who follows saw against what one sees who comes later. */
export function readerFaults(
  name: string,
  seen: readonly Seen[],
  wanted: readonly Seen[],
): string[] {
  const faults: string[] = [];
  const left = new Set(wanted.map(textOf));
  for (const record of seen) {
    if (left.delete(textOf(record))) continue;
    faults.push(`${name} saw ${textOf(record)} twice, or nobody else did`);
  }
  for (const text of left) faults.push(`${name} did not see ${text}`);
  faults.push(...offsetFaults(name, seen));
  return faults.slice(0, faultsMax);
}

function transferFaults(transfers: readonly Transfer[], seen: readonly Seen[]): string[] {
  const faults: string[] = [];
  const byId = new Map<string, Seen[]>();
  for (const record of seen) {
    const same = byId.get(record.id);
    if (same === undefined) byId.set(record.id, [record]);
    else same.push(record);
  }
  for (const { id, legs, outcome } of transfers) {
    const found = (byId.get(id) ?? []).map(legText).sort();
    byId.delete(id);
    const wanted = legs.map(legText).sort();
    const isWhole = found.join() === wanted.join();
    const isNothing = found.length === 0;
    const isRight =
      outcome === "committed" ? isWhole : outcome === "aborted" ? isNothing : isWhole || isNothing;
    if (!isRight) faults.push(`${outcome} transfer ${id} (${wanted}) is seen as (${found})`);
  }
  for (const id of byId.keys()) faults.push(`nobody made transfer ${id}`);
  return faults;
}

/** Later transfers of one producer lie behind earlier ones, partition by partition. */
function orderFaults(transfers: readonly Transfer[], seen: readonly Seen[]): string[] {
  const faults: string[] = [];
  const places = new Map(
    transfers.map(({ id, transactionalId }, i) => [id, { transactionalId, i }]),
  );
  const last = new Map<string, number>();
  const inOrder = [...seen].sort((a, b) => a.offset - b.offset);
  for (const { id, topic, partition } of inOrder) {
    const place = places.get(id);
    if (place === undefined) continue;
    const key = `${place.transactionalId} ${topic}-${partition}`;
    if ((last.get(key) ?? -1) > place.i)
      faults.push(`transfer ${id} lies behind a later one of ${key}`);
    last.set(key, place.i);
  }
  return faults;
}

function supersetFaults(committed: readonly Seen[], uncommitted: readonly Seen[]): string[] {
  const all = new Set(uncommitted.map(textOf));
  const missing = committed.filter((record) => !all.has(textOf(record)));
  return missing.map((record) => `only read_committed shows ${textOf(record)}`);
}

/** What was acknowledged is in the log, whatever became of its transaction; never twice. */
function writtenFaults(transfers: readonly Transfer[], uncommitted: readonly Seen[]): string[] {
  const counts = new Map<string, number>();
  for (const record of uncommitted) {
    const text = `${record.id} ${legText(record)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const faults: string[] = [];
  for (const { id, legs, isWritten } of transfers) {
    for (const leg of legs) {
      const count = counts.get(`${id} ${legText(leg)}`) ?? 0;
      if (count > 1) faults.push(`${legText(leg)} of transfer ${id} is in the log ${count} times`);
      if (count === 0 && isWritten) faults.push(`${legText(leg)} of transfer ${id} was lost`);
    }
  }
  return faults;
}

function offsetFaults(name: string, seen: readonly Seen[]): string[] {
  const faults: string[] = [];
  const last = new Map<string, number>();
  for (const { topic, partition, offset } of seen) {
    const place = `${topic}-${partition}`;
    const before = last.get(place) ?? -1;
    if (offset <= before) faults.push(`${name} saw offset ${offset} of ${place} after ${before}`);
    last.set(place, offset);
  }
  return faults;
}

function legText({ topic, partition, account, amount }: Leg): string {
  return `${topic}-${partition} ${account} ${amount}`;
}

function textOf(record: Seen): string {
  return `${record.id}: ${legText(record)} at ${record.offset}`;
}
