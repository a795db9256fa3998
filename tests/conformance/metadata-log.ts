// The conformance suite of MetadataLog: what members rely on. An implementation's test file calls `metadataLogSuite`
// with a way to open handles on a fresh store.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { AppendConflict, type MetadataLog, type Sequence } from "../../cluster/metadata-log.ts";

export interface LogHarness {
  /** Another handle on the same store. */
  open(): Promise<MetadataLog> | MetadataLog;
  close(): Promise<void>;
}

type Rule = (title: string, run: (harness: LogHarness) => Promise<void>) => void;

const WAIT_MS_MAX = 5_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
let nextId = 0;

export function metadataLogSuite(
  name: string,
  start: () => Promise<LogHarness> | LogHarness,
): void {
  const rule: Rule = (title, run) =>
    test(`${name}: ${title}`, async () => {
      const harness = await start();
      try {
        await run(harness);
      } finally {
        await harness.close();
      }
    });
  appendRules(rule);
  followRules(rule);
  signalRules(rule);
}

function appendRules(rule: Rule): void {
  rule("append() writes if nobody wrote since, and is a conflict otherwise", async (harness) => {
    const [a, b] = [await harness.open(), await harness.open()];
    const first = await put(a, 0, "1");
    assert.ok(first > 0);
    await assertConflict(put(b, 0, "x"));
    const second = await put(b, first, "2");
    assert.ok(second > first);
    await assertConflict(put(a, first, "x"));
    await assertConflict(put(a, second + 1, "x"));
    assert.equal(await texts(await harness.open()), ["1", "2"]);
  });

  rule("append() of several at once has one winner, round for round", async (harness) => {
    const logs = await Promise.all([1, 2, 3].map(() => harness.open()));
    let last: Sequence = 0;
    for (let round = 0; round < 30; round++) {
      const expected = last;
      const tries = await Promise.allSettled(
        logs.map((log, index) => put(log, expected, `${round}.${index}`)),
      );
      const won = tries.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      const lost = tries.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      assert.is(won.length, 1, `round ${round}`);
      assert.ok(lost.every((error) => error instanceof AppendConflict));
      last = won[0]!;
    }
    assert.is((await texts(logs[0]!)).length, 30);
  });

  rule("append() of the same id and expectation again is told the first's sequence", async (h) => {
    const log = await h.open();
    const request = { expected: 0, id: "once", bytes: encoder.encode("1") };
    const first = await log.append(request);
    assert.is(await log.append(request), first);
    assert.equal(await texts(log), ["1"]);
  });

  rule("append() takes entries up to entryBytesMax", async (harness) => {
    const log = await harness.open();
    await log.append({ expected: 0, id: id(), bytes: new Uint8Array(log.entryBytesMax).fill(65) });
    assert.is((await texts(log))[0]!.length, log.entryBytesMax);
  });
}

function followRules(rule: Rule): void {
  rule("follow() gives what is there, then caughtUp, then what comes, in order", async (h) => {
    const [a, b] = [await h.open(), await h.open()];
    let last = await put(a, 0, "1");
    last = await put(a, last, "2");
    const heard: string[] = [];
    b.follow(0, recorder(heard));
    await until(() => heard.includes(`caught up ${last}`));
    for (const text of ["3", "4", "5"]) last = await put(a, last, text);
    await until(() => heard.includes("5"));
    assert.equal(
      heard.filter((each) => !each.startsWith("caught")),
      ["1", "2", "3", "4", "5"],
    );
    assert.is(
      heard.indexOf("2") + 1,
      heard.findIndex((each) => each.startsWith("caught")),
    );
  });

  rule("follow() of an empty log is caught up at 0", async (harness) => {
    const heard: string[] = [];
    (await harness.open()).follow(0, recorder(heard));
    await until(() => heard.length > 0);
    assert.equal(heard, ["caught up 0"]);
  });

  rule("follow() begins after the given sequence, and ends when told", async (harness) => {
    const log = await harness.open();
    const first = await put(log, 0, "1");
    const second = await put(log, first, "2");
    const heard: string[] = [];
    const end = log.follow(first, recorder(heard));
    await until(() => heard.length === 2);
    end();
    const third = await put(log, second, "3");
    const later: string[] = [];
    log.follow(second, recorder(later));
    await until(() => later.length === 2);
    assert.equal(later, ["3", `caught up ${third}`]);
    assert.equal(heard, ["2", `caught up ${second}`]);
  });

  rule(
    "follow() from beyond the end is a reset: it is not the log that it was",
    async (harness) => {
      const log = await harness.open();
      const last = await put(log, 0, "1");
      const heard: string[] = [];
      log.follow(last + 100, recorder(heard));
      await until(() => heard.length === 3);
      assert.equal(heard, ["reset", "1", `caught up ${last}`]);
    },
  );

  rule("trim() drops what lies before, and appends go on", async (harness) => {
    const log = await harness.open();
    let last = 0;
    const at: Sequence[] = [];
    for (const text of ["1", "2", "3", "4"]) {
      last = await put(log, last, text);
      at.push(last);
    }
    await log.trim(at[2]!);
    last = await put(log, last, "5");
    assert.equal(await texts(await harness.open()), ["3", "4", "5"]);
    await assertConflict(put(log, at[3]!, "x"));
  });
}

function signalRules(rule: Rule): void {
  rule("signal() reaches all members, the sender too, until they end it", async (harness) => {
    const [a, b] = [await harness.open(), await harness.open()];
    const heard: string[] = [];
    a.onSignal((bytes) => heard.push(`a ${decoder.decode(bytes)}`));
    const end = b.onSignal((bytes) => heard.push(`b ${decoder.decode(bytes)}`));
    await repeated(
      () => a.signal(encoder.encode("1")),
      () => heard.length >= 2,
    );
    assert.ok(heard.includes("a 1") && heard.includes("b 1"));
    end();
    heard.length = 0;
    await repeated(
      () => b.signal(encoder.encode("2")),
      () => heard.includes("a 2"),
    );
    assert.not.ok(heard.includes("b 2"));
  });

  rule("onConnection() tells at once that the service answers", async (harness) => {
    const log = await harness.open();
    const heard: boolean[] = [];
    log.onConnection((isConnected) => heard.push(isConnected));
    await until(() => heard.length > 0);
    assert.equal(heard, [true]);
  });
}

function put(log: MetadataLog, expected: Sequence, text: string): Promise<Sequence> {
  return log.append({ expected, id: id(), bytes: encoder.encode(text) });
}

function id(): string {
  nextId += 1;
  return `entry-${nextId}`;
}

async function assertConflict(work: Promise<unknown>): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppendConflict, `conflict expected, not ${error}`);
}

function recorder(heard: string[]) {
  return {
    entry: ({ bytes }: { bytes: Uint8Array }) => void heard.push(decoder.decode(bytes)),
    caughtUp: (last: Sequence) => void heard.push(`caught up ${last}`),
    reset: () => void heard.push("reset"),
  };
}

async function texts(log: MetadataLog): Promise<string[]> {
  const heard: string[] = [];
  let isDone = false;
  const end = log.follow(0, { ...recorder(heard), caughtUp: () => (isDone = true) });
  await until(() => isDone);
  end();
  return heard;
}

async function until(isDone: () => boolean): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!isDone()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Signals may get lost: they are sent until they arrive. */
async function repeated(send: () => void, isDone: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 50 && !isDone(); attempt++) {
    send();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(isDone(), "no signal arrived");
}
