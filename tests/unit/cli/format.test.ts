// Format strings: what they write, that the same string reads it back, and what they refuse.

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ByteSink } from "../../../runtime/cli/byte-sink.ts";
import { parseEscapes, parseFormat } from "../../../runtime/cli/format.ts";
import {
  createFormatReader,
  createLineReader,
  type InputRecord,
  type RecordReader,
} from "../../../runtime/cli/format-read.ts";
import {
  compileWriter,
  type FormatRecord,
  type WriteOptions,
} from "../../../runtime/cli/format-write.ts";

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const RECORD: FormatRecord = {
  topic: "flights",
  partition: 3,
  offset: 1234,
  timestampMs: Date.UTC(2001, 0, 2, 3, 4, 5, 6),
  key: utf8.encode("SFO"),
  value: utf8.encode('{"a":{"b":"c"},"n":7}'),
  headers: [
    { key: "trace", value: utf8.encode("t1") },
    { key: "none", value: null },
  ],
  leaderEpoch: 5,
  attributes: 3,
  endOffset: 2000,
};

function write(format: string, record: FormatRecord = RECORD, options: WriteOptions = {}): string {
  return decoder.decode(writeBytes(format, record, options));
}

function writeBytes(format: string, record: FormatRecord, options: WriteOptions = {}): Uint8Array {
  const sink = new ByteSink();
  compileWriter(parseFormat(format), options)(record, sink);
  return sink.take();
}

function readAll(
  reader: RecordReader,
  input: Uint8Array,
  chunkBytes = input.length,
): InputRecord[] {
  const records: InputRecord[] = [];
  const drain = () => {
    for (let record = reader.next(); record; record = reader.next()) records.push(record);
  };
  for (let at = 0; at < input.length; at += chunkBytes) {
    reader.push(input.subarray(at, at + chunkBytes));
    drain();
  }
  reader.finish();
  drain();
  return records;
}

const formatReader = (format: string, emptyIsNull = false) =>
  createFormatReader(parseFormat(format), { delimiter: utf8.encode("\n"), emptyIsNull });
const text = (bytes: Uint8Array | null) => (bytes === null ? null : decoder.decode(bytes));

test("compileWriter() writes kcat's letters", () => {
  assert.is(
    write("%t[%p]@%o %k=%s%% %K/%S\\n"),
    'flights[3]@1234 SFO={"a":{"b":"c"},"n":7}% 3/21\n',
  );
  assert.is(write("%T %h"), `${RECORD.timestampMs} trace=t1,none=`);
  assert.is(write("%e %a %a{codec} %]"), "5 3 lz4 2000");
  assert.is(write("\\x41\\t\\\\"), "A\t\\");
});

test("compileWriter() writes braces", () => {
  assert.is(write("%T{iso}|%T{%F %T}"), "2001-01-02T03:04:05.006Z|2001-01-02 03:04:05");
  assert.is(write("%k{hex} %k{base64} %k{json}"), '53464f U0ZP "SFO"');
  assert.is(write("%s{json .a.b} %s{json .n} %s{json .a} %s{json .x}|"), 'c 7 {"b":"c"} |');
  assert.is(write("%h{%k:%v; }"), "trace:t1; none:");
});

test("compileWriter() writes null as nothing, length -1, and the null text where asked", () => {
  const tombstone = { ...RECORD, value: null };
  assert.is(write("%s|%S", tombstone), "|-1");
  assert.is(write("%s", tombstone, { nullText: "NULL" }), "NULL");
  assert.equal([...writeBytes("%R", tombstone)], [255, 255, 255, 255]);
  assert.equal([...writeBytes("%R", RECORD)], [0, 0, 0, 21]);
});

test("compileWriter() escapes control characters for terminals only", () => {
  const hostile = { ...RECORD, value: utf8.encode("\u001b]0;x\u0007\tok\u009b") };
  assert.is(write("%s", hostile, { isTerminal: true }), "\\x1b]0;x\\x07\tok\\x9b");
  assert.is(write("%s", hostile), "\u001b]0;x\u0007\tok\u009b");
});

test("parseFormat() names what it does not know", () => {
  assert.throws(() => parseFormat("%q"), /"%q" at 1/);
  assert.throws(() => parseFormat("a%"), /at 2/);
  assert.throws(() => parseFormat("%s{"), /not closed/);
  assert.throws(() => parseFormat("%s{rot13}"), /%s\{rot13\}/);
  assert.throws(() => parseFormat("%p{hex}"), /not known/);
  assert.throws(() => parseFormat("\\q"), /not known/);
  assert.throws(() => parseFormat("\\xZZ"), /not known/);
});

test("createLineReader() splits lines and keys, at every chunk size, and keeps a last line without end", () => {
  const input = utf8.encode("k1:v1\nno key\n:v3\nk4:\n\nlast:x:y");
  for (const chunkBytes of [1, 2, 3, 7, 100]) {
    const reader = createLineReader({
      delimiter: utf8.encode("\n"),
      keyDelimiter: utf8.encode(":"),
      emptyIsNull: false,
    });
    const read = readAll(reader, input, chunkBytes).map((record) => [
      text(record.key),
      text(record.value),
    ]);
    assert.equal(read, [
      ["k1", "v1"],
      [null, "no key"],
      ["", "v3"],
      ["k4", ""],
      [null, ""],
      ["last", "x:y"],
    ]);
  }
});

test("createLineReader() with emptyIsNull makes tombstones", () => {
  const reader = createLineReader({
    delimiter: parseEscapes("\\x00"),
    keyDelimiter: utf8.encode("::"),
    emptyIsNull: true,
  });
  const read = readAll(reader, utf8.encode("k::\0::v\0"));
  assert.equal(
    read.map((record) => [text(record.key), text(record.value)]),
    [
      ["k", null],
      [null, "v"],
    ],
  );
});

test("createFormatReader() reads fields, times, headers and partitions", () => {
  const input = utf8.encode(
    "2001-01-02 03:04:05|3|SFO|a=1,b=2|one\n2001-01-02 03:04:06|0|LAX||two\n",
  );
  for (const chunkBytes of [1, 5, 100]) {
    const [first, second, ...more] = readAll(
      formatReader("%T{%F %T}|%p|%k|%h|%s\\n"),
      input,
      chunkBytes,
    );
    assert.is(more.length, 0);
    assert.is(first?.timestampMs, Date.UTC(2001, 0, 2, 3, 4, 5));
    assert.is(first?.partition, 3);
    assert.is(text(first?.key ?? null), "SFO");
    assert.equal(
      first?.headers.map((h) => [h.key, text(h.value)]),
      [
        ["a", "1"],
        ["b", "2"],
      ],
    );
    assert.is(text(second?.value ?? null), "two");
    assert.equal(second?.headers, []);
  }
});

test("createFormatReader() refuses what cannot be read", () => {
  assert.throws(() => formatReader("%k%s"), /nothing tells where key ends/);
  assert.throws(() => formatReader("%s{json .a}"), /cannot be read back/);
  assert.throws(() => formatReader("\\n"), /reads no field/);
  assert.throws(
    () => readAll(formatReader("%k\\t%s\\n"), utf8.encode("a\tb\nno tab\n")),
    /record 2 .* "\\t" is missing/,
  );
  assert.throws(
    () => readAll(formatReader("%R%s"), Uint8Array.of(0, 0, 0, 9, 1)),
    /record 1 .* cut short/,
  );
  assert.throws(() => readAll(formatReader("%R%s"), Uint8Array.of(200, 0, 0, 9, 1)), /length of -/);
  assert.throws(
    () => readAll(formatReader("%T\\t%s\\n"), utf8.encode("x\ty\n")),
    /not a number for %T/,
  );
});

test("createFormatReader() reads back any bytes written with lengths, at any chunk size", () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
  const records = fc.array(fc.record({ key: bytes, value: bytes, timestampMs: fc.nat() }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(records, fc.integer({ min: 1, max: 50 }), (inputs, chunkBytes) => {
      for (const format of ["%K %T %k %R%s", "%T,%K:%S;%k%s", "%R%s%K|%k|%T\\n"]) {
        const sink = new ByteSink();
        const writer = compileWriter(parseFormat(format));
        for (const input of inputs) writer({ ...RECORD, ...input }, sink);
        const read = readAll(formatReader(format), sink.take(), chunkBytes);
        assert.equal(
          read.map(({ key, value, timestampMs }) => ({ key, value, timestampMs })),
          inputs.map((input) => ({ ...input })),
        );
      }
    }),
    { numRuns: 100 },
  );
});

test("createFormatReader() reads back hex and base64", () => {
  for (const format of ["%k{hex} %s{base64}\\n", "%s{hex}\\t%k{base64}\\n"]) {
    const record = { ...RECORD, key: Uint8Array.of(0, 10, 255), value: Uint8Array.of(32, 9, 13) };
    const [read] = readAll(formatReader(format), writeBytes(format, record));
    assert.equal([...(read?.key ?? [])], [0, 10, 255]);
    assert.equal([...(read?.value ?? [])], [32, 9, 13]);
  }
  assert.throws(() => readAll(formatReader("%s{hex}\\n"), utf8.encode("0g\n")), /record 1.*hex/);
});

test.run();
