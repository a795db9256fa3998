// One read for all tails: shared bytes, newcomers, slow readers, silence, life, and what happens when nobody is left.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { LiveFeeds, type Turn, type TurnRequest } from "../../../runtime/http/live-feed.ts";
import { LiveTail, SharedForm } from "../../../runtime/http/live-tail.ts";
import type { BodySink } from "../../../runtime/pushed-body.ts";
import { ManualClock } from "../../support/manual-clock.ts";

interface WordTurn extends Turn {
  readonly words: readonly string[];
}

const keepaliveMs = 1000;
const lifeMs = 60_000;

/** A log of words that reads wait for, and the feeds above it. */
class World {
  readonly clock = new ManualClock();
  readonly feeds = new LiveFeeds<WordTurn>(this.clock);
  readonly words: string[] = [];
  readonly reads: TurnRequest[] = [];
  readonly failures: unknown[] = [];
  encoded = 0;
  #wake: (() => void)[] = [];

  async write(...words: string[]): Promise<void> {
    this.words.push(...words);
    this.wake();
    await this.clock.turn();
  }

  wake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Set: what every further read throws. */
  fault: Error | null = null;

  async read(request: TurnRequest): Promise<WordTurn> {
    this.reads.push(request);
    const { position, endPosition = Number.POSITIVE_INFINITY, waitMs, signal } = request;
    if (waitMs > 0 && position === this.words.length) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        this.clock.after(waitMs, resolve);
        signal?.addEventListener("abort", () => resolve());
      });
    }
    if (this.fault !== null) throw this.fault;
    const words = this.words.slice(position, endPosition);
    const next = position + words.length;
    const isUpToDate = next === this.words.length;
    return { words, from: position, next, isUpToDate, isLast: words.includes("END") };
  }

  async tail(position: number, client = new Client()): Promise<Client> {
    const source = {
      read: (request: TurnRequest) => this.read(request),
      keepaliveMs,
      report: (error: unknown) => this.failures.push(error),
    };
    const first = await this.read({ position, waitMs: 0 });
    const feed = this.feeds.open("k", () => source);
    const form = feed.form("", () => {
      return new SharedForm<WordTurn>(({ words }) => {
        this.encoded++;
        return words.join(" ") + (words.length > 0 ? " " : "");
      });
    });
    const release = () => client.released++;
    const tail = new LiveTail(feed, { form, first, opening: "", lifeMs, release });
    client.tail = tail;
    tail.start(client);
    await this.clock.turn();
    return client;
  }

  /** Reads that wait at the end: the feed's. */
  get waits(): number {
    return this.reads.filter(({ waitMs }) => waitMs > 0).length;
  }
}

class Client implements BodySink {
  text = "";
  chunks: Uint8Array[] = [];
  isSlow = false;
  isEnded = false;
  released = 0;
  tail: LiveTail<WordTurn> | null = null;

  write(bytes: Uint8Array): boolean {
    this.text += new TextDecoder().decode(bytes);
    this.chunks.push(bytes);
    return !this.isSlow;
  }

  end(): void {
    this.isEnded = true;
  }
}

test("LiveFeed gives all its tails the same bytes out of one read", async () => {
  const world = new World();
  const clients = [await world.tail(0), await world.tail(0), await world.tail(0)];
  const before = world.waits;
  const encoded = world.encoded;
  await world.write("a", "b");
  for (const { text } of clients) assert.is(text, "a b ");
  assert.is(clients[0]!.chunks[0], clients[2]!.chunks[0]);
  assert.is(world.encoded - encoded, 1);
  assert.is(world.waits - before, 1, "one new wait for all");
});

test("LiveFeed serves more tails than one slice, each turn once and in order", async () => {
  const world = new World();
  const clients: Client[] = [];
  for (let i = 0; i < 600; i++) clients.push(await world.tail(0));
  await world.write("a");
  await world.write("b");
  await world.write("c");
  await world.clock.turn();
  assert.is(new Set(clients.map(({ text }) => text)).size, 1);
  assert.is(clients[0]!.text, "a b c ");
});

test("LiveFeed lets a newcomer read by itself up to where the others are, then joins it", async () => {
  const world = new World();
  await world.write("a", "b");
  const old = await world.tail(2);
  const late = await world.tail(0);
  assert.is(late.text, "a b ");
  const { waits } = world;
  await world.write("c");
  assert.is(old.text, "c ");
  assert.is(late.text, "a b c ");
  assert.is(world.waits, waits + 1);
});

test("LiveFeed does not wait for a slow reader, who misses nothing", async () => {
  const world = new World();
  const quick = await world.tail(0);
  const slow = await world.tail(0);
  slow.isSlow = true;
  for (const word of ["a", "b", "c", "d", "e", "f", "g", "h"]) await world.write(word);
  assert.is(quick.text, "a b c d e f g h ");
  assert.is(slow.text, "a ");
  slow.isSlow = false;
  slow.tail!.ready();
  await world.clock.turn();
  assert.is(slow.text, "a b c d e f g h ");
  await world.write("i");
  assert.is(slow.text, quick.text);
});

test("LiveFeed reads for nobody when all its tails are slow, and goes on with the first", async () => {
  const world = new World();
  const slow = await world.tail(0);
  slow.isSlow = true;
  await world.write("a");
  const { waits } = world;
  await world.write("b", "c");
  assert.is(world.waits, waits);
  slow.isSlow = false;
  slow.tail!.ready();
  await world.clock.turn();
  assert.is(slow.text, "a b c ");
  await world.write("d");
  assert.is(slow.text, "a b c d ");
});

test("LiveFeed breaks silences, ends lives, also of those who take nothing", async () => {
  const world = new World();
  const client = await world.tail(0);
  await world.clock.advance(2 * keepaliveMs);
  assert.match(client.text, /^(: keepalive\n\n){1,2}$/);
  const stuck = await world.tail(0);
  stuck.isSlow = true;
  await world.write("a");
  await world.clock.advance(lifeMs + keepaliveMs);
  assert.is(client.isEnded, true);
  assert.is(stuck.isEnded, true);
  assert.equal([client.released, stuck.released], [1, 1]);
  const { waits } = world;
  await world.clock.advance(10 * keepaliveMs);
  assert.is(world.waits, waits, "nobody is left to read for");
});

test("LiveFeed ends the read that nobody waits for any more; a later tail begins anew", async () => {
  const world = new World();
  const client = await world.tail(0);
  const reading = world.reads.at(-1)!;
  client.tail!.gone();
  client.tail!.gone();
  assert.is(reading.signal?.aborted, true);
  assert.is(client.released, 1);
  assert.is(world.feeds.head("k"), undefined);
  await world.write("a");
  const next = await world.tail(0);
  await world.write("b");
  assert.is(next.text, "a b ");
  assert.is(client.text, "");
});

test("LiveFeed ends all tails after the last turn", async () => {
  const world = new World();
  const clients = [await world.tail(0), await world.tail(0)];
  await world.write("a", "END");
  for (const client of clients) {
    assert.is(client.text, "a END ");
    assert.is(client.isEnded, true);
    assert.is(client.released, 1);
  }
});

test("LiveFeed tells a failure to those who waited for that read", async () => {
  const world = new World();
  const clients = [await world.tail(0), await world.tail(0)];
  world.fault = new Error("broken");
  await world.write("a");
  for (const client of clients) {
    assert.match(client.text, /^event: error\ndata: .*UNKNOWN_SERVER_ERROR/);
    assert.is(client.isEnded, true);
  }
  assert.is(world.failures.length, 1);
});

test("LiveTail that was never started gives back what it holds", async () => {
  const world = new World();
  const client = new Client();
  await world.tail(0, client);
  const never = new Client();
  const first = await world.read({ position: 0, waitMs: 0 });
  const feed = world.feeds.open("k", () => {
    throw new Error("there is one");
  });
  const release = () => never.released++;
  const form = new SharedForm<WordTurn>(() => "");
  const tail = new LiveTail(feed, { form, first, opening: "", lifeMs, release });
  await world.clock.advance(lifeMs + keepaliveMs);
  assert.is(never.released, 1);
  tail.start(never);
  assert.is(never.isEnded, true);
});

test.run();
