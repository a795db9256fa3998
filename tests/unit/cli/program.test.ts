// The table of commands as a parser: global options on both sides, own options first, repeatable ones one by one.

import { test } from "uvu";
import * as assert from "uvu/assert";
import { COMMANDS } from "../../../runtime/cli/commands.ts";
import { type ParsedCall, parseCall } from "../../../runtime/cli/program.ts";

async function call(...argv: string[]): Promise<ParsedCall> {
  const parsed = await parseCall(argv);
  if (typeof parsed === "number") throw new Error(`exit ${parsed}`);
  return parsed;
}

test("parseCall() takes global options before and after the command", async () => {
  for (const argv of [
    ["-b", "h:1", "-o", "json", "topic", "list"],
    ["topic", "list", "-b", "h:1", "-o", "json"],
  ]) {
    const { spec, flags } = await call(...argv);
    assert.is(spec.name, "topic list");
    assert.is(flags.text("bootstrap"), "h:1");
    assert.is(flags.text("output"), "json");
  }
});

test("parseCall() gives -o of consume to the offset, and --output to the format", async () => {
  const { flags, args } = await call(
    "consume",
    "t",
    "-o",
    "-100",
    "--output",
    "json",
    "-e",
    "-p",
    "0-2",
  );
  assert.is(flags.text("offset"), "-100");
  assert.is(flags.text("output"), "json");
  assert.ok(flags.isSet("exit"));
  assert.is(flags.text("partitions"), "0-2");
  assert.equal([...args], ["t"]);
});

test("parseCall() gives repeatable options one value each", async () => {
  const { flags, args } = await call("topic", "create", "-c", "a=1", "-c", "b=2", "one", "two");
  assert.equal(flags.list("config"), ["a=1", "b=2"]);
  assert.equal([...args], ["one", "two"]);
});

test("parseCall() leaves what was not given undefined", async () => {
  const { flags } = await call("serve");
  for (const name of ["kafkaPort", "dataDir", "flush", "config"])
    assert.is(flags.text(name), undefined);
  assert.equal(flags.list("set"), []);
});

test("COMMANDS have unique names, and each loads what it says", async () => {
  assert.is(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length);
  for (const { name, load } of COMMANDS) assert.type(await load(), "function", name);
});

test.run();
