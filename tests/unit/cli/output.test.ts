// Tables line up in any script; CSV and JSON keep keys and exact values; errors become lines and exit codes.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { CliError, ExitCode, usageError } from "../../../runtime/cli/exit.ts";
import { Flags, parsePair } from "../../../runtime/cli/flags.ts";
import {
  formatBytes,
  formatCount,
  printRows,
  RowStream,
  toCsv,
  toTable,
} from "../../../runtime/cli/output.ts";
import { progressLine } from "../../../runtime/cli/progress.ts";
import { describeError, exitCodeOf } from "../../../runtime/cli/report.ts";
import { type Output, parseBootstrap, type Shell } from "../../../runtime/cli/shell.ts";

const plain = (text: string) => text;
const paint = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain };

function fakeShell(output: Output): { shell: Shell; written: () => string } {
  let written = "";
  const shell = {
    output,
    paint,
    write: async (text: string) => {
      written += text;
    },
  } as unknown as Shell;
  return { shell, written: () => written };
}

test("toTable() lines up wide characters and puts numbers to the right", async () => {
  const table = await toTable(
    { output: "table", paint },
    [{ key: "name" }, { key: "count" }, { key: "extra", isWide: true }],
    [
      { name: "도시", count: 7 },
      { name: "ascii", count: 1234 },
    ],
  );
  assert.is(table, "NAME   COUNT\n도시       7\nascii   1234\n");
});

test("toTable() keeps one row on one line whatever a value holds", async () => {
  const table = await toTable({ output: "table", paint }, [{ key: "v" }], [{ v: "a\nb\u001b[2J" }]);
  assert.is(table, "V\na�b�[2J\n");
});

test("toCsv() quotes by RFC 4180", () => {
  assert.is(
    toCsv([{ key: "a" }, { key: "b" }], [{ a: 'x,"y"', b: null }]),
    'a,b\r\n"x,""y""",\r\n',
  );
});

test("printRows() writes one document with json, one line per row with ndjson", async () => {
  const rows = [{ a: 1 }, { a: null }];
  const json = fakeShell("json");
  await printRows(json.shell, [{ key: "a" }, { key: "b" }], rows);
  assert.equal(JSON.parse(json.written()), [
    { a: 1, b: null },
    { a: null, b: null },
  ]);
  const ndjson = fakeShell("ndjson");
  await printRows(ndjson.shell, [{ key: "a" }], rows);
  assert.is(ndjson.written(), '{"a":1}\n{"a":null}\n');
});

test("RowStream writes all rows and one CSV header over its blocks", async () => {
  const { shell, written } = fakeShell("csv");
  const stream = new RowStream(shell, [{ key: "n" }]);
  for (let n = 0; n < 2500; n++) await stream.add({ n });
  await stream.flush();
  const lines = written().trimEnd().split("\r\n");
  assert.is(lines.length, 2501);
  assert.is(lines[0], "n");
  assert.is(lines[2500], "2499");
});

test("formatBytes() and formatCount() are for people", () => {
  assert.is(formatBytes(1023), "1023 B");
  assert.is(formatBytes(1_300_000), "1.2 MiB");
  assert.is(formatCount(1234567), "1,234,567");
});

test("progressLine() shows rate and what is left when the total is known", () => {
  const line = progressLine(
    "sent",
    { records: 500, bytes: 5 * 1024 * 1024, fraction: 0.25 },
    10_000,
  );
  assert.match(
    line,
    /^\[#####\.{15}\] 25% {2}sent 500 records {2}5\.0 MiB {2}50\/s {2}512 KiB\/s {2}30s left$/,
  );
  assert.not.match(progressLine("sent", { records: 1, bytes: 1 }, 1000), /left/);
});

test("exitCodeOf() maps errors to the contract's codes", () => {
  const named = (code: string) => Object.assign(new Error("x"), { code });
  assert.is(exitCodeOf(usageError("x")), ExitCode.usage);
  assert.is(exitCodeOf(named("ECONNREFUSED")), ExitCode.unreachable);
  assert.is(exitCodeOf(named("REQUEST_TIMED_OUT")), ExitCode.unreachable);
  assert.is(exitCodeOf(named("TOPIC_AUTHORIZATION_FAILED")), ExitCode.denied);
  assert.is(exitCodeOf(named("MESSAGE_TOO_LARGE")), ExitCode.failed);
  assert.is(exitCodeOf(new Error("bug")), ExitCode.failed);
});

test("describeError() says what, why and what next, and keeps stacks for bugs", () => {
  const error = new CliError("no topic", { hints: ["make one"], cause: new Error("it is gone") });
  assert.is(describeError(error, false), "error: no topic\n  why: it is gone\n  try: make one");
  const known = Object.assign(new Error("too big"), { code: "MESSAGE_TOO_LARGE" });
  assert.is(describeError(known, false), "error: too big (MESSAGE_TOO_LARGE)");
  assert.match(
    describeError(new TypeError("oops"), false),
    /bug in timberline\nTypeError: oops\n\s+at /,
  );
});

test("Flags names the option and what it takes", () => {
  const flags = new Flags({ count: "x", kafkaPort: "70000", output: "xml", set: ["a=1", "b=2"] });
  assert.throws(
    () => flags.integer("count", { min: 1, max: 5 }),
    /--count: "x" is not a whole number from 1 to 5/,
  );
  assert.throws(() => flags.integer("kafkaPort", { min: 0, max: 65535 }), /--kafka-port/);
  assert.throws(() => flags.oneOf("output", ["table", "json"]), /one of table, json/);
  assert.equal(flags.list("set"), ["a=1", "b=2"]);
  assert.equal(parsePair("a=b=c", "-c"), { name: "a", value: "b=c" });
  assert.throws(() => parsePair("=x", "-c"), /name=value/);
});

test("parseBootstrap() takes lists, IPv6 and the default port", () => {
  assert.equal(parseBootstrap("a:1, [::1]:2,c"), ["a:1", "[::1]:2", "c:9092"]);
  assert.equal(parseBootstrap("http://a:8080,https://b"), ["http://a:8080", "https://b"]);
  assert.throws(() => parseBootstrap("a:b"), /neither HOST:PORT nor a URL/);
  assert.throws(() => parseBootstrap("a:99999"), /neither HOST:PORT nor a URL/);
});

test.run();
