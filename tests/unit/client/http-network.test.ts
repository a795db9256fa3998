// httpNetwork(): requests go in order, one POST at a time and those that wait together; what becomes of refusals, broken
// answers and doors that are away.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseAddress } from "../../../runtime/client/address.ts";
import { ClientError } from "../../../runtime/client/error.ts";
import { type FetchInit, httpNetwork } from "../../../runtime/client/http-network.ts";
import { type ClientOptions, createClient } from "../../../runtime/client/mod.ts";
import type { Connection } from "../../../runtime/platform.ts";
import { clientPlatform } from "../../../runtime/platforms/client-node.ts";

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));
const broker = { host: "broker", port: 9092, timeoutMs: 1 };

interface Post {
  readonly url: string;
  readonly body: number[];
  readonly signal: AbortSignal;
  readonly answer: (response: Response) => void;
  readonly fail: (error: Error) => void;
}

async function dialled(doors: readonly string[] = ["http://door:8080"], address = broker) {
  const posts: Post[] = [];
  const fetch = (url: string, { body, signal }: FetchInit) =>
    new Promise<Response>((answer, fail) => {
      posts.push({ url, body: [...body], signal, answer, fail });
    });
  const network = httpNetwork(doors.map(parseAddress), fetch);
  const connection = await network.dial(address);
  return { posts, network, ...watch(connection) };
}

function watch(connection: Connection) {
  const received: number[] = [];
  const closed: (Error | undefined)[] = [];
  connection.onData((chunk) => received.push(...chunk));
  connection.onClose((error) => closed.push(error));
  return { connection, received, closed };
}

const ok = (...bytes: number[]) => new Response(Uint8Array.from(bytes));

test("dial() names the broker to the door, and the door itself by its own URL", async () => {
  const { connection, posts, network } = await dialled(["https://door/behind/a/path"]);
  connection.write(Uint8Array.of(1));
  const own = watch(
    await network.dial({ ...parseAddress("https://door/behind/a/path"), timeoutMs: 1 }),
  );
  own.connection.write(Uint8Array.of(2));
  await soon();
  assert.equal(
    posts.map(({ url }) => url),
    [
      "https://door/behind/a/path/v1/kafka?broker=broker%3A9092",
      "https://door/behind/a/path/v1/kafka",
    ],
  );
});

test("write() posts one body at a time, with all requests that came meanwhile", async () => {
  const { connection, posts, received } = await dialled();
  const memory = Uint8Array.of(1);
  let written = 0;
  connection.write(memory, () => written++);
  await soon();
  assert.is(written, 1);
  memory[0] = 99;
  connection.write(Uint8Array.of(2));
  connection.cork();
  connection.write(Uint8Array.of(3));
  await soon();
  connection.write(Uint8Array.of(4));
  connection.uncork();
  assert.equal(
    posts.map(({ body }) => body),
    [[1]],
  );
  posts[0]!.answer(ok(11));
  await soon();
  await soon();
  assert.equal(
    posts.map(({ body }) => body),
    [[1], [2, 3, 4]],
  );
  assert.equal(received, [11]);
});

test("write() splits what is too much for one body between requests", async () => {
  const { connection, posts } = await dialled();
  const mebibytes = (count: number) => new Uint8Array(count * 1024 * 1024);
  for (const count of [1, 3, 1, 9]) connection.write(mebibytes(count));
  for (let i = 0; i < 3; i++) {
    await soon();
    posts[i]!.answer(ok());
    await soon();
  }
  assert.equal(
    posts.map(({ body }) => body.length / 1024 / 1024),
    [4, 1, 9],
  );
});

test("destroy() ends the POST under way and tells once", async () => {
  const { connection, posts, closed } = await dialled();
  connection.write(Uint8Array.of(1));
  await soon();
  connection.destroy();
  connection.destroy();
  let written = 0;
  connection.write(Uint8Array.of(2), () => written++);
  posts[0]!.fail(new Error("aborted"));
  await soon();
  assert.ok(posts[0]!.signal.aborted);
  assert.equal([closed, posts.length, written], [[undefined], 1, 1]);
});

test("a refusal closes the connection with the door's words; only what may pass is retriable", async () => {
  const body = JSON.stringify({
    error: { code: "INVALID_REQUEST", message: 'say "so"', status: 403 },
  });
  for (const [status, code, retriable] of [
    [403, "INVALID_REQUEST", false],
    [404, "INVALID_REQUEST", false],
    [502, "NETWORK_EXCEPTION", true],
    [503, "NETWORK_EXCEPTION", true],
  ] as const) {
    const { connection, posts, closed } = await dialled();
    connection.write(Uint8Array.of(1));
    await soon();
    posts[0]!.answer(new Response(body, { status }));
    await soon();
    await soon();
    const error = closed[0] as ClientError;
    assert.instance(error, ClientError);
    assert.equal([error.code, error.retriable], [code, retriable]);
    assert.match(error.message, `answered ${status}: say "so"`);
  }
});

test("an answer that breaks off closes the connection after what has come", async () => {
  const { connection, posts, received, closed } = await dialled();
  connection.write(Uint8Array.of(1));
  await soon();
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Uint8Array.of(7)),
    pull: (controller) => controller.error(new Error("cut")),
  });
  posts[0]!.answer(new Response(broken));
  await soon();
  await soon();
  assert.is(closed[0]?.message, "cut");
  assert.ok(received.length <= 1);
});

test("createClient() takes URLs or addresses, and no security of TCP for URLs", () => {
  const platform = clientPlatform();
  const made = (options: Partial<ClientOptions>) => () =>
    createClient({ platform, bootstrap: "http://door", ...options });
  const sasl = { mechanism: "plain", username: "u", password: "p" } as const;
  assert.throws(made({ bootstrap: ["http://door", "broker:9092"] }), /mixes URLs/);
  assert.throws(made({ bootstrap: [] }), /is empty/);
  assert.throws(made({ sasl }), /let fetch send/);
  assert.throws(made({ tls: {} }), /let fetch send/);
  made({ bootstrap: ["http://door", "https://other/path"] })();
});

test("the next connection goes through the next door when one is away", async () => {
  const { connection, posts, network, closed } = await dialled(["http://a", "http://b"]);
  connection.write(Uint8Array.of(1));
  await soon();
  posts[0]!.fail(new TypeError("fetch failed"));
  await soon();
  assert.is(closed[0]?.message, "fetch failed");
  (await network.dial(broker)).write(Uint8Array.of(1));
  await soon();
  assert.equal(
    posts.map(({ url }) => new URL(url).host),
    ["a", "b"],
  );
});

test.run();
