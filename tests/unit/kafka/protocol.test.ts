// Every API the door serves, in every version, both messages: what is encoded decodes to the same, and no
// bytes make the decoder do anything but decode or throw MalformedRequest.

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Declared,
  isNullable,
  isPresent,
  type Version,
} from "../../../runtime/kafka/codec.ts";
import { FetchSessions } from "../../../runtime/kafka/fetch-sessions.ts";
import { MalformedRequest } from "../../../runtime/kafka/malformed-request.ts";
import { Reader } from "../../../runtime/kafka/reader.ts";
import { registrations } from "../../../runtime/kafka/registry.ts";
import type { Api } from "../../../runtime/kafka/schema.ts";
import { uuidText } from "../../../runtime/kafka/uuid.ts";
import { Writer } from "../../../runtime/kafka/writer.ts";
import { joined } from "./bytes.ts";
import { fakePlatform } from "./fakes.ts";

const noUsers = { describe: () => new Map(), isKept: () => false, alter: async () => {} };
const sessions = new FetchSessions(fakePlatform().platform);
const apis = registrations(sessions, undefined, undefined, noUsers).map(({ api }) => api);

function integers(bits: number, signed: boolean): fc.Arbitrary<number> {
  const span = 2 ** bits;
  return signed
    ? fc.integer({ min: -span / 2, max: span / 2 - 1 })
    : fc.integer({ min: 0, max: span - 1 });
}

const simple: { readonly [kind: string]: fc.Arbitrary<unknown> } = {
  int8: integers(8, true),
  int16: integers(16, true),
  int32: integers(32, true),
  int64: fc.maxSafeInteger(),
  uint16: integers(16, false),
  uint32: integers(32, false),
  float64: fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
  boolean: fc.boolean(),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => uuidText(bytes, 0)),
  string: fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 90 })),
  bytes: fc.uint8Array({ maxLength: 30 }),
  records: fc.oneof(fc.constant(null), fc.uint8Array({ minLength: 1, maxLength: 1500 })),
};

/** Values a version can carry: fields it lacks have their default. */
function values(field: Declared, version: Version): fc.Arbitrary<unknown> {
  const plain = plainValues(field, version);
  return isNullable(field, version) ? fc.oneof(fc.constant(null), plain) : plain;
}

function plainValues(field: Declared, version: Version): fc.Arbitrary<unknown> {
  if (field.element) return fc.array(values(field.element, version), { maxLength: 3 });
  if (!field.members) return simple[field.kind]!;
  const members = field.members.map(([name, member]) => [
    name,
    isPresent(member, version) ? values(member, version) : fc.constant(member.absent),
  ]);
  return fc.record(Object.fromEntries(members));
}

interface Message {
  readonly name: string;
  readonly field: Declared;
  readonly version: Version;
  encode(value: never, writer: Writer): void;
  decode(reader: Reader): unknown;
}

function* messages(api: Api): Generator<Message> {
  for (let v = api.versions.min; v <= api.versions.max; v++) {
    const version = { version: v, flexible: api.isFlexible(v) };
    yield {
      name: `${api.name} request v${v}`,
      field: api.request,
      version,
      encode: (value, writer) => api.encodeRequest(v, value, writer),
      decode: (reader) => api.decodeRequest(v, reader),
    };
    yield {
      name: `${api.name} response v${v}`,
      field: api.response,
      version,
      encode: (value, writer) => api.encodeResponse(v, value, writer),
      decode: (reader) => api.decodeResponse(v, reader),
    };
  }
}

function encoded(message: Message, value: unknown): Uint8Array {
  const writer = new Writer();
  message.encode(value as never, writer);
  return joined(writer);
}

function decodesOrIsMalformed(message: Message, bytes: Uint8Array): void {
  try {
    message.decode(new Reader(bytes));
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
  }
}

for (const api of apis) {
  test(`${api.name}: what is encoded decodes to the same, in every version`, () => {
    for (const message of messages(api)) {
      fc.assert(
        fc.property(values(message.field, message.version), (value) => {
          const decoded = message.decode(new Reader(encoded(message, value)));
          assert.equal(plain(decoded), plain(value), message.name);
        }),
        { numRuns: 15 },
      );
    }
  });

  test(`${api.name}: truncated and changed bytes decode or are malformed, in every version`, () => {
    for (const message of messages(api)) {
      fc.assert(
        fc.property(
          values(message.field, message.version),
          fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
          (value, changes) => {
            const bytes = encoded(message, value);
            const step = Math.max(1, Math.floor(bytes.length / 60));
            for (let length = 0; length < bytes.length; length += step) {
              assert.throws(
                () => message.decode(new Reader(bytes, 0, length)),
                (error: unknown) => error instanceof MalformedRequest,
              );
            }
            for (const [at, byte] of changes) if (bytes.length) bytes[at % bytes.length] = byte;
            decodesOrIsMalformed(message, bytes);
          },
        ),
        { numRuns: 8 },
      );
    }
  });
}

test("random bytes decode or are malformed, for every API and version", () => {
  const all = apis.flatMap((api) => [...messages(api)]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(all.length - 1), (bytes, i) =>
      decodesOrIsMalformed(all[i]!, bytes),
    ),
    { numRuns: 5000 },
  );
});

test("no frame becomes more objects than the element budget allows", () => {
  const metadata = apis.find((api) => api.key === 3)!;
  const bytes = new Uint8Array(4_000_100).fill(0);
  new DataView(bytes.buffer).setInt32(0, 2_000_000);
  const before = process.memoryUsage().heapUsed;
  assert.throws(() => metadata.decodeRequest(1, new Reader(bytes)), /array elements/);
  assert.ok(process.memoryUsage().heapUsed - before < 100e6);
});

/** Typed arrays as arrays, for comparison. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

test.run();
