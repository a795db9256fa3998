// Codec: how one field is read and written in one version. `schema.ts` declares fields; here they are compiled
// into closures, once per API and version. Nothing is generated as source text: workerd forbids it.

import { MalformedRequest } from "./malformed-request.ts";
import type { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Reads and writes values of one field in one version. Values are untyped here; `schema.ts` types them. */
export interface Codec {
  /** Fewest bytes a value can take: what array counts are checked against. */
  readonly bytesMin: number;
  read(reader: Reader): unknown;
  write(writer: Writer, value: unknown): void;
}

export interface Version {
  readonly version: number;
  readonly flexible: boolean;
}

export type FieldKind =
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint16"
  | "uint32"
  | "float64"
  | "boolean"
  | "uuid"
  | "string"
  | "bytes"
  | "records"
  | "array"
  | "struct";

/** A declared field, as far as compiling needs it. */
export interface Declared {
  readonly options: {
    readonly since?: number;
    readonly until?: number;
    readonly nullable?: true | number;
    readonly tag?: number;
    readonly tagSince?: number;
  };
  readonly kind: FieldKind;
  /** Of arrays. */
  readonly element?: Declared;
  /** Of structs, in wire order. */
  readonly members?: readonly (readonly [string, Declared])[];
  /** Value where the field is absent. */
  readonly absent: unknown;
  compile(version: Version): Codec;
  /** Whether a tagged field may be left out. */
  isAbsent(value: unknown): boolean;
}

export function isNullable(field: Declared, { version }: Version): boolean {
  const nullable = field.options.nullable;
  return nullable === true || (nullable !== undefined && version >= nullable);
}

export function isPresent(field: Declared, { version }: Version): boolean {
  const { since = 0, until = Number.POSITIVE_INFINITY } = field.options;
  return version >= since && version <= until;
}

function isTagged(field: Declared, { version, flexible }: Version): boolean {
  const { tag, tagSince = 0 } = field.options;
  return tag !== undefined && flexible && version >= tagSince;
}

/** Array of `element`. Null arrives as length -1. */
export function arrayCodec(element: Codec, nullable: boolean, flexible: boolean): Codec {
  const elementBytesMin = Math.max(1, element.bytesMin);
  return {
    bytesMin: flexible ? 1 : 4,
    read(reader) {
      const count = reader.length(flexible);
      if (count === -1 && nullable) return null;
      reader.claimElements(count, elementBytesMin);
      const values: unknown[] = [];
      for (let i = 0; i < count; i++) values.push(element.read(reader));
      return values;
    },
    write(writer, value) {
      if (value === null && nullable) {
        writer.lengthPrefix(-1, flexible);
        return;
      }
      const values = value as readonly unknown[];
      writer.lengthPrefix(values.length, flexible);
      for (let i = 0; i < values.length; i++) element.write(writer, values[i]);
    },
  };
}

interface Slot {
  readonly name: string;
  readonly absent: unknown;
  /** Undefined where the version does not have the field, or has it as a tagged one. */
  readonly codec: Codec | undefined;
}

interface TaggedSlot {
  readonly tag: number;
  readonly name: string;
  readonly codec: Codec;
  readonly field: Declared;
}

/** Struct: its fields in order, then, in flexible versions, its tagged fields. */
export function structCodec(
  fields: readonly (readonly [string, Declared])[],
  version: Version,
): Codec {
  const slots: Slot[] = [];
  const tagged: TaggedSlot[] = [];
  for (const [name, field] of fields) {
    const present = isPresent(field, version);
    const codec = present ? field.compile(version) : undefined;
    const isTag = present && isTagged(field, version);
    if (isTag && codec) tagged.push({ tag: field.options.tag ?? 0, name, codec, field });
    slots.push({ name, absent: field.absent, codec: isTag ? undefined : codec });
  }
  tagged.sort((a, b) => a.tag - b.tag);
  const { flexible } = version;
  const inline = slots.filter((slot): slot is Slot & { codec: Codec } => slot.codec !== undefined);
  return {
    bytesMin: inline.reduce((sum, slot) => sum + slot.codec.bytesMin, flexible ? 1 : 0),
    read(reader) {
      const message: Record<string, unknown> = {};
      for (let i = 0; i < slots.length; i++) {
        const slot = slots[i]!;
        message[slot.name] = slot.codec === undefined ? slot.absent : slot.codec.read(reader);
      }
      if (flexible) readTagged(reader, message, tagged);
      return message;
    },
    write(writer, value) {
      const message = value as Record<string, unknown>;
      for (let i = 0; i < inline.length; i++) {
        const slot = inline[i]!;
        const given = message[slot.name];
        slot.codec.write(writer, given === undefined ? slot.absent : given);
      }
      if (flexible) writeTagged(writer, message, tagged);
    },
  };
}

/** A struct that may be null is preceded by a byte: -1 null, 1 present. */
export function nullableStructCodec(inner: Codec): Codec {
  return {
    bytesMin: 1,
    read(reader) {
      return reader.int8() < 0 ? null : inner.read(reader);
    },
    write(writer, value) {
      writer.int8(value === null ? -1 : 1);
      if (value !== null) inner.write(writer, value);
    },
  };
}

function readTagged(reader: Reader, message: Record<string, unknown>, slots: TaggedSlot[]): void {
  if (slots.length === 0) {
    reader.skipTagged();
    return;
  }
  for (let left = reader.taggedCount(); left > 0; left--) {
    const tag = reader.uvarint();
    const size = reader.uvarint();
    const slot = slots.find((candidate) => candidate.tag === tag);
    if (slot) readTaggedField(reader, message, slot, size);
    else reader.skip(size);
  }
}

function readTaggedField(
  reader: Reader,
  message: Record<string, unknown>,
  slot: TaggedSlot,
  size: number,
): void {
  if (size > reader.remaining) {
    throw new MalformedRequest(`tagged field of ${size} bytes, ${reader.remaining} left`);
  }
  const frameEnd = reader.end;
  reader.end = reader.at + size;
  message[slot.name] = slot.codec.read(reader);
  reader.expectEnd();
  reader.end = frameEnd;
}

function writeTagged(writer: Writer, message: Record<string, unknown>, slots: TaggedSlot[]): void {
  let count = 0;
  for (const slot of slots) if (isGiven(slot, message)) count++;
  writer.uvarint(count);
  if (count === 0) return;
  for (const slot of slots) {
    if (!isGiven(slot, message)) continue;
    const field = new Writer();
    slot.codec.write(field, message[slot.name]);
    writer.uvarint(slot.tag);
    writer.uvarint(field.length);
    writer.append(field);
  }
}

function isGiven(slot: TaggedSlot, message: Record<string, unknown>): boolean {
  const value = message[slot.name];
  return value !== undefined && !slot.field.isAbsent(value);
}
