// The runner itself, on a folder of small test files: what fails must be counted, and nothing must stop it.

import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isRunning } from "./processes.ts";
import { projectFolder } from "./project.ts";
import { tempFolder } from "./temp-folder.ts";

const head = 'import { test } from "uvu"; import * as assert from "uvu/assert";\n';

/** Runs the suite on `files` (path → text) and returns its exit code and output lines. */
function runSuite(files: Record<string, string>, ...args: string[]) {
  const folder = tempFolder("suite");
  symlinkSync(join(projectFolder, "node_modules"), join(folder, "node_modules"), "junction");
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), head + text);
  }
  const runner = join(projectFolder, "tests/run.ts");
  const done = spawnSync(process.execPath, [...process.execArgv, runner, ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  return { code: done.status, lines: done.stdout.trimEnd().split("\n"), text: done.stdout };
}

test("run() counts tests over files that share a process and ends with the totals", () => {
  const two = 'test("a", () => {}); test("b", () => {}); test.run();';
  const ran = runSuite({ "tests/unit/a.test.ts": two, "tests/unit/b.test.ts": two });
  assert.is(ran.lines.at(-1), "4 passed, 0 failed");
  assert.is(ran.code, 0);
});

test("run() prints a failure whole, counts it once, and exits with 1", () => {
  const ran = runSuite({
    "tests/unit/a.test.ts":
      'test("good", () => {}); test("bad", () => assert.is("seen", "wanted")); test.run();',
    "tests/unit/b.test.ts": 'test("good", () => {}); test.run();',
  });
  assert.is(ran.lines.at(-1), "2 passed, 1 failed");
  assert.match(ran.text, /"bad"[\s\S]*wanted/);
  assert.match(ran.text, /failed in: tests\/unit\/a\.test\.ts/);
  assert.is(ran.code, 1);
});

test("run() fails a file that crashes or queues nothing, and still runs the ones after it", () => {
  const ran = runSuite({
    "tests/unit/a.test.ts": 'test("dies", () => { process.exit(7); }); test.run();',
    "tests/unit/b.test.ts": 'setTimeout(() => {}, 1e6); test("never run", () => {});',
    "tests/unit/c.test.ts": 'test("good", () => {}); test.run();',
  });
  assert.is(ran.lines.at(-1), "1 passed, 2 failed");
  assert.match(ran.text, /exit code 7/);
  assert.match(ran.text, /1 tests stand after/);
});

test("run() fails a file without tests, unless it says which tool it misses", () => {
  const ran = runSuite({
    "tests/unit/a.test.ts": "test.run();",
    "tests/unit/b.test.ts": 'console.log("skipped: kcat");',
  });
  assert.equal(ran.lines.slice(-2), ["skipped: kcat", "0 passed, 1 failed"]);
  assert.match(ran.text, /no test ran/);
});

test("run() ends a file at the limit its header names, and what it had started", () => {
  const ran = runSuite({
    "tests/a.test.ts": `
// Time limit: 1 s
import { spawn } from "node:child_process";
test("hangs", () => {
  const child = spawn("sleep", ["60"], { stdio: "inherit" });
  console.log("child=" + child.pid);
  return new Promise(() => setInterval(() => {}, 1000));
}); test.run();`,
  });
  assert.is(ran.lines.at(-1), "0 passed, 1 failed");
  assert.match(ran.text, /still running after 1 s/);
  const pid = Number(/child=(\d+)/.exec(ran.text)?.[1]);
  assert.not(isRunning(pid));
});

test("run() takes words to choose files, and leaves slow files to who asks for them", () => {
  const one = 'test("a", () => {}); test.run();';
  const files = {
    "tests/kafka/a.test.ts": one,
    "tests/log/b.test.ts": one,
    "tests/log/c.slow.test.ts": one,
  };
  assert.is(runSuite(files).lines.at(-1), "2 passed, 0 failed");
  assert.is(runSuite(files, "kafka").lines.at(-1), "1 passed, 0 failed");
  assert.is(runSuite(files, "log", "--slow").lines.at(-1), "2 passed, 0 failed");
});

test("run() names what was skipped above the last line", () => {
  const ran = runSuite({
    "tests/a.test.ts": 'console.log("skipped: kcat"); test("a", () => {}); test.run();',
  });
  assert.equal(ran.lines.slice(-2), ["skipped: kcat", "1 passed, 0 failed"]);
});

test.run();
