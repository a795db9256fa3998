// POST /v1/kafka: answers as they come until all have, back pressure, what is refused, and clients and brokers that leave.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { connectionPair } from "../../../runtime/connection-pair.ts";
import { BrokerError } from "../../../runtime/errors.ts";
import { framesMediaType, type KafkaTunnel } from "../../../runtime/http/kafka-tunnel.ts";
import type { Connection } from "../../../runtime/platform.ts";
import { openDoor } from "./door.ts";

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));
/** An answer of `length` bytes after its size. */
const answer = (length: number, byte: number): Uint8Array => {
  const bytes = new Uint8Array(4 + length).fill(byte);
  new DataView(bytes.buffer).setInt32(0, length);
  return bytes;
};

interface Asked {
  readonly broker: string | undefined;
  readonly bytes: number[];
}

/** A door whose requests say in their first byte how many answers they get; `serve` is the broker. */
function tunnelled(serve: (far: Connection, asked: Asked) => void) {
  const brokers: { closed: boolean }[] = [];
  const kafka: KafkaTunnel = {
    answersDue(requests) {
      if (requests[0] === 99) throw new RangeError("no whole request");
      return requests[0]!;
    },
    connect(broker, address) {
      if (broker === "nobody:1") throw new BrokerError("BROKER_NOT_AVAILABLE", "nobody is there");
      const [near, far] = connectionPair({ address, port: 0 });
      const state = { closed: false };
      brokers.push(state);
      far.onData((chunk) => serve(far, { broker, bytes: [...chunk] }));
      far.onClose(() => {
        state.closed = true;
      });
      return near;
    },
  };
  return { door: openDoor({ kafka }), brokers };
}

function post(
  door: ReturnType<typeof openDoor>,
  bytes: number[],
  options: RequestInit = {},
  query = "",
) {
  const init = { method: "POST", body: Uint8Array.from(bytes), ...options };
  const headers = { "content-type": framesMediaType, ...(options.headers as object) };
  return door.app.fetch(new Request(`http://door/v1/kafka${query}`, { ...init, headers }));
}

const bytesOf = async (response: Response) => [...new Uint8Array(await response.arrayBuffer())];

test("the tunnel passes requests on and answers when all answers have come", async () => {
  const seen: Asked[] = [];
  const { door, brokers } = tunnelled((far, asked) => {
    seen.push(asked);
    const whole = [...answer(3, 1), ...answer(2, 2)];
    // In pieces that cut a size and an answer.
    for (const piece of [whole.slice(0, 2), whole.slice(2, 9), whole.slice(9)]) {
      far.write(Uint8Array.from(piece));
    }
  });
  const response = await post(door, [2, 7], {}, "?broker=b:1");
  assert.is(response.headers.get("content-type"), framesMediaType);
  assert.equal(await bytesOf(response), [...answer(3, 1), ...answer(2, 2)]);
  assert.equal(seen, [{ broker: "b:1", bytes: [2, 7] }]);
  await soon();
  assert.ok(brokers[0]?.closed);
});

test("the tunnel sends an answer that is there while the next is waited for", async () => {
  let second = (): void => {};
  const { door } = tunnelled((far) => {
    far.write(answer(1, 1));
    second = () => void far.write(answer(1, 2));
  });
  const reader = (await post(door, [2])).body!.getReader();
  assert.equal((await reader.read()).value, answer(1, 1));
  second();
  assert.equal((await reader.read()).value, answer(1, 2));
  assert.ok((await reader.read()).done);
});

test("the tunnel makes the broker wait while the client does not read", async () => {
  const bytes = answer(8 * 1024 * 1024, 5);
  let sent = 0;
  const { door } = tunnelled((far) => {
    const next = (): void => {
      if (sent >= bytes.length) return;
      const piece = bytes.subarray(sent, sent + 65_536);
      sent += piece.length;
      far.write(piece, next);
    };
    next();
  });
  const response = await post(door, [1]);
  for (let i = 0; i < 20; i++) await soon();
  assert.ok(sent < 2 * 1024 * 1024, `${sent} bytes are waiting`);
  assert.is((await response.arrayBuffer()).byteLength, bytes.length);
});

test("the tunnel ends without an answer where none is due", async () => {
  const { door } = tunnelled(() => {});
  assert.equal(await bytesOf(await post(door, [0])), []);
});

test("the tunnel hangs up when its client does", async () => {
  const { door, brokers } = tunnelled(() => {});
  const abort = new AbortController();
  const answered = post(door, [1], { signal: abort.signal });
  await soon();
  abort.abort();
  assert.is((await answered).status, 502);
  await soon();
  assert.ok(brokers[0]?.closed);
});

test("the tunnel says when the broker leaves: by its status, or in the middle by an error", async () => {
  const { door } = tunnelled((far, { bytes }) => {
    if (bytes[0] === 2) far.write(answer(1, 1));
    far.end();
  });
  const lost = await post(door, [1]);
  assert.is(lost.status, 502);
  assert.match(await lost.text(), "NETWORK_EXCEPTION");
  const half = await post(door, [2]);
  assert.is(half.status, 200);
  await half.arrayBuffer().then(
    () => assert.unreachable(),
    () => {},
  );
});

test("the tunnel refuses other types, no requests, cut ones, and brokers that are none", async () => {
  const { door } = tunnelled(() => {});
  const plain = { headers: { "content-type": "text/plain" } };
  for (const [wanted, response] of [
    [415, await post(door, [1], plain)],
    [400, await post(door, [])],
    [400, await post(door, [99])],
    [503, await post(door, [1], {}, "?broker=nobody:1")],
  ] as const) {
    assert.is(response.status, wanted);
    assert.equal(Object.keys((await response.json()) as object), ["error"]);
  }
  assert.is(door.counters.inflightBytes, 0);
  assert.equal(door.reported, []);
  assert.is((await openDoor().app.fetch(new Request("http://door/v1/kafka"))).status, 404);
});

test.run();
