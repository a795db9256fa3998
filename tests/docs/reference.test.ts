// The reference pages say what the program's tables say. After a table has changed:
// `npx tsx tests/docs/reference.test.ts --write`, and read what changed.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { projectFolder } from "../support/project.ts";
import { referencePages } from "./reference.ts";

const folder = join(projectFolder, "runtime/docs");
const shallWrite = process.argv.includes("--write");

for (const [name, markdown] of referencePages()) {
  const path = join(folder, `${name}.md`);
  test(`${name}.md is what its table says`, () => {
    if (shallWrite) writeFileSync(path, markdown);
    const stored = existsSync(path) ? readFileSync(path, "utf8") : "";
    const hint = "it is stale: npx tsx tests/docs/reference.test.ts --write";
    assert.ok(stored === markdown, hint);
  });

  test(`${name}.md leaves no cell of its tables without a meaning`, () => {
    const rows = markdown.split("\n").filter((line) => line.startsWith("| `"));
    if (name !== "commands" && name !== "protocol-versions") assert.ok(rows.length > 5, name);
    for (const row of rows) {
      const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
      const last = name === "errors" ? cells.at(-3) : cells.at(-2);
      assert.ok(last !== "" && !row.includes("undefined"), row);
    }
  });
}

test.run();
