// Schema: Kafka messages declared as data, one declaration for all versions; types are inferred from it, and
// encoders and decoders are compiled from it on first use, per version. `apis/*.ts` declare with it; the door
// and the client both use what `defineApi` returns.
//
//   const ping = defineApi({ key: 99, name: "Ping", versions: { min: 0, max: 2 }, flexibleSince: 2,
//     request: struct({ text: string({ nullable: 1 }), loud: boolean({ since: 1 }) }), response: struct({}) });
//   type PingRequest = RequestOf<typeof ping>; // { text: string | null; loud: boolean }

import type { Records } from "../records.ts";
import {
  arrayCodec,
  type Codec,
  type Declared,
  type FieldKind,
  isNullable,
  nullableStructCodec,
  structCodec,
  type Version,
} from "./codec.ts";
import { MalformedRequest } from "./malformed-request.ts";
import type { Reader } from "./reader.ts";
import { zeroUuid } from "./uuid.ts";
import type { Writer } from "./writer.ts";

export interface FieldOptions<T> {
  /** First version that has the field. */
  readonly since?: number;
  /** Last version that has it (inclusive). */
  readonly until?: number;
  /** May be null: in all versions, or from one on. */
  readonly nullable?: true | number;
  /** Value where a version lacks the field; with it, or with a tag, the field is optional when encoding. */
  readonly default?: T | null;
  /** Tagged field of flexible versions: number, and first version in which it is tagged. */
  readonly tag?: number;
  readonly tagSince?: number;
}

/** A declared field: `Out` is what decoding gives, `In` what encoding takes. */
export interface Field<Out, In = Out, Optional extends boolean = boolean> extends Declared {
  /** Exists in the type only. */
  readonly types?: {
    readonly out: Out;
    readonly in: (value: In) => void;
    readonly optional: Optional;
  };
}

export type AnyField = Field<unknown, never>;
export type Shape = { readonly [name: string]: AnyField };
type OutOf<F> = F extends Field<infer Out, infer _In, infer _Optional> ? Out : never;
type InOf<F> = F extends Field<infer _Out, infer In, infer _Optional> ? In : never;
type OptionalNames<S extends Shape> = {
  [K in keyof S]: S[K] extends Field<infer _Out, infer _In, infer Optional>
    ? Optional extends true
      ? K
      : never
    : never;
}[keyof S];
type Flat<T> = { [K in keyof T]: T[K] };
type StructOut<S extends Shape> = { readonly [K in keyof S]: OutOf<S[K]> };
type StructIn<S extends Shape> = Flat<
  { readonly [K in Exclude<keyof S, OptionalNames<S>>]: InOf<S[K]> } & {
    readonly [K in OptionalNames<S>]?: InOf<S[K]>;
  }
>;
type NoOptions = { readonly since?: number };
type NullOf<O> = O extends { readonly nullable: true | number } ? null : never;
type OptionalOf<O> = O extends { readonly default: unknown } | { readonly tag: number }
  ? true
  : false;
type FieldOf<Out, O, In = Out> = Field<Out | NullOf<O>, In | NullOf<O>, OptionalOf<O>>;

// ---- fields ----

export const int8 = number("int8", 1, {
  read: (reader) => reader.int8(),
  write: (writer, value) => writer.int8(value),
});
export const int16 = number("int16", 2, {
  read: (reader) => reader.int16(),
  write: (writer, value) => writer.int16(value),
});
export const int32 = number("int32", 4, {
  read: (reader) => reader.int32(),
  write: (writer, value) => writer.int32(value),
});
/** A plain number: beyond ±2^53 the nearest one. */
export const int64 = number("int64", 8, {
  read: (reader) => reader.int64(),
  write: (writer, value) => writer.int64(value),
});
export const uint16 = number("uint16", 2, {
  read: (reader) => reader.uint16(),
  write: (writer, value) => writer.uint16(value),
});
export const uint32 = number("uint32", 4, {
  read: (reader) => reader.uint32(),
  write: (writer, value) => writer.uint32(value),
});
export const float64 = number("float64", 8, {
  read: (reader) => reader.float64(),
  write: (writer, value) => writer.float64(value),
});

export function boolean<const O extends FieldOptions<boolean> = NoOptions>(
  options?: O,
): FieldOf<boolean, O> {
  const codec: Codec = {
    bytesMin: 1,
    read: (reader) => reader.boolean(),
    write: (writer, value) => writer.boolean(value as boolean),
  };
  return field("boolean", options, false, () => codec);
}

/** 16 bytes as a `TopicId`: 22 characters of URL-safe base64; the zero uuid is `zeroUuid`. */
export function uuid<const O extends FieldOptions<string> = NoOptions>(
  options?: O,
): FieldOf<string, O> {
  const codec: Codec = {
    bytesMin: 16,
    read: (reader) => reader.uuid(),
    write: (writer, value) => writer.uuid(value as string),
  };
  return field("uuid", options, zeroUuid, () => codec);
}

export function string<const O extends FieldOptions<string> = NoOptions>(
  options?: O,
): FieldOf<string, O> {
  return field("string", options, "", (nullable, { flexible }) => ({
    bytesMin: flexible ? 1 : 2,
    read(reader) {
      const length = reader.stringLength(flexible);
      return length === -1 && nullable ? null : reader.string(length);
    },
    write(writer, value) {
      if (value === null && nullable) writer.stringLength(-1, flexible);
      else writer.string(value as string, flexible);
    },
  }));
}

/** Decodes to a view of the frame: copy what must outlive it. */
export function bytes<const O extends FieldOptions<Uint8Array> = NoOptions>(
  options?: O,
): FieldOf<Uint8Array, O> {
  return field("bytes", options, new Uint8Array(0), (nullable, { flexible }) => ({
    bytesMin: flexible ? 1 : 4,
    read: (reader) => readBytes(reader, nullable, flexible),
    write(writer, value) {
      const length = value === null && nullable ? -1 : (value as Uint8Array).length;
      writer.lengthPrefix(length, flexible);
      if (length > 0) writer.raw(value as Uint8Array);
    },
  }));
}

/** Record batches: decode to a view of the frame, encode without a copy. Always nullable. */
export function records<const O extends FieldOptions<never> = NoOptions>(
  options?: O,
): Field<Uint8Array | null, Uint8Array | Records | null, OptionalOf<O>> {
  const compile = (_nullable: boolean, { flexible }: Version): Codec => ({
    bytesMin: flexible ? 1 : 4,
    read: (reader) => readBytes(reader, true, flexible),
    write(writer, value) {
      const given = value as Uint8Array | Records | null;
      writer.lengthPrefix(given === null ? -1 : given.length, flexible);
      if (given !== null && given.length > 0) writer.attach(given);
    },
  });
  return field("records", options, null, compile);
}

export function array<F extends AnyField, const O extends FieldOptions<readonly []> = NoOptions>(
  element: F,
  options?: O,
): FieldOf<readonly OutOf<F>[], O, readonly InOf<F>[]> {
  const compile = (nullable: boolean, version: Version) =>
    arrayCodec(element.compile(version), nullable, version.flexible);
  const made = field("array", options, Object.freeze([]), compile);
  return { ...made, element, isAbsent: (value) => isEmpty(value) && isEmpty(made.absent) };
}

export function struct<const S extends Shape, const O extends FieldOptions<never> = NoOptions>(
  shape: S,
  options?: O,
): FieldOf<StructOut<S>, O, StructIn<S>> {
  const fields = Object.entries(shape);
  const zero = Object.freeze(
    Object.fromEntries(fields.map(([name, member]) => [name, member.absent])),
  );
  const compile = (nullable: boolean, version: Version) => {
    const inner = structCodec(fields, version);
    return nullable ? nullableStructCodec(inner) : inner;
  };
  const made = field("struct", options, zero, compile);
  return {
    ...made,
    members: fields,
    isAbsent: (value) => isAbsentStruct(value, made.absent, fields),
  };
}

// ---- APIs ----

/** One Kafka API in all its versions, both messages, both directions. */
export interface Api<Req = unknown, ReqIn = never, Res = unknown, ResIn = never> {
  readonly key: number;
  readonly name: string;
  /** What is served. */
  readonly versions: { readonly min: number; readonly max: number };
  /** First version in the ApiVersions answer: below `versions.min` where a client insists on it. */
  readonly advertisedMin: number;
  /** Among brokers of one cluster only: in no ApiVersions answer, spoken without asking. */
  readonly isPrivate: boolean;
  /** The declarations, for whoever derives something from them. */
  readonly request: Declared;
  readonly response: Declared;
  isFlexible(version: number): boolean;
  decodeRequest(version: number, reader: Reader): Req;
  encodeRequest(version: number, message: ReqIn, writer: Writer): void;
  decodeResponse(version: number, reader: Reader): Res;
  encodeResponse(version: number, message: ResIn, writer: Writer): void;
}

/** What a server gets. */
export type RequestOf<A> =
  A extends Api<infer Req, infer _In, infer _Res, infer _ResIn> ? Req : never;
/** What a client gives. */
export type RequestInput<A> =
  A extends Api<infer _Req, infer In, infer _Res, infer _ResIn> ? In : never;
/** What a client gets. */
export type ResponseOf<A> =
  A extends Api<infer _Req, infer _In, infer Res, infer _ResIn> ? Res : never;
/** What a server gives. */
export type ResponseInput<A> =
  A extends Api<infer _Req, infer _In, infer _Res, infer In> ? In : never;

export interface ApiDefinition<Req extends AnyField, Res extends AnyField> {
  readonly key: number;
  readonly name: string;
  readonly versions: { readonly min: number; readonly max: number };
  /** Absent: no version is flexible. */
  readonly flexibleSince?: number;
  readonly advertisedMin?: number;
  readonly isPrivate?: boolean;
  readonly request: Req;
  readonly response: Res;
}

export function defineApi<Req extends AnyField, Res extends AnyField>(
  definition: ApiDefinition<Req, Res>,
): Api<OutOf<Req>, InOf<Req>, OutOf<Res>, InOf<Res>> {
  const { key, name, versions, flexibleSince = Number.POSITIVE_INFINITY } = definition;
  const isFlexible = (version: number) => version >= flexibleSince;
  const compiled = (message: AnyField) => {
    const codecs: Codec[] = [];
    return (version: number): Codec => {
      const codec = codecs[version];
      if (codec) return codec;
      if (version < versions.min || version > versions.max) {
        throw new RangeError(`${name} has no version ${version}`);
      }
      codecs[version] = message.compile({ version, flexible: isFlexible(version) });
      return codecs[version];
    };
  };
  const request = compiled(definition.request);
  const response = compiled(definition.response);
  return {
    key,
    name,
    versions,
    advertisedMin: definition.advertisedMin ?? versions.min,
    isPrivate: definition.isPrivate ?? false,
    request: definition.request,
    response: definition.response,
    isFlexible,
    decodeRequest: (version, reader) => readWhole(request(version), reader) as OutOf<Req>,
    encodeRequest: (version, message, writer) => request(version).write(writer, message),
    decodeResponse: (version, reader) => readWhole(response(version), reader) as OutOf<Res>,
    encodeResponse: (version, message, writer) => response(version).write(writer, message),
  };
}

// ---- helpers ----

function readWhole(codec: Codec, reader: Reader): unknown {
  const message = codec.read(reader);
  reader.expectEnd();
  return message;
}

function field(
  kind: FieldKind,
  options: FieldOptions<unknown> | undefined,
  zero: unknown,
  compile: (nullable: boolean, version: Version) => Codec,
): Declared {
  const given = options ?? {};
  const fallback = given.nullable === undefined ? zero : null;
  const absent = "default" in given ? given.default : fallback;
  const declared: Declared = {
    kind,
    options: given as Declared["options"],
    absent,
    compile: (version) => compile(isNullable(declared, version), version),
    isAbsent: (value) => value === absent,
  };
  return declared;
}

function number(
  kind: FieldKind,
  bytesMin: number,
  { read, write }: { read(reader: Reader): number; write(writer: Writer, value: number): void },
) {
  const codec: Codec = {
    bytesMin,
    read,
    write: (writer, value) => write(writer, value as number),
  };
  return <const O extends FieldOptions<number> = NoOptions>(options?: O): FieldOf<number, O> =>
    field(kind, options, 0, () => codec);
}

function readBytes(reader: Reader, nullable: boolean, flexible: boolean): Uint8Array | null {
  const length = reader.length(flexible);
  if (length === -1 && nullable) return null;
  if (length < 0) throw new MalformedRequest(`bytes of negative length ${length}`);
  return reader.view8(length);
}

function isEmpty(value: unknown): boolean {
  return value === null || (value as readonly unknown[]).length === 0;
}

function isAbsentStruct(
  value: unknown,
  absent: unknown,
  fields: readonly (readonly [string, AnyField])[],
): boolean {
  if (value === null || absent === null) return value === absent;
  const message = value as Record<string, unknown>;
  return fields.every(([name, member]) => {
    const given = message[name];
    return given === undefined || member.isAbsent(given);
  });
}
