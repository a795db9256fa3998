// How a test file says that it leaves tests out because a tool is not on this machine: the runner collects
// the names into the line `skipped: …` above its last one. Nothing else may be left out.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Prints the line the runner looks for. */
export function sayMissing(tool: string): void {
  console.log(`skipped: ${tool}`);
}

/** Path of a program on PATH; if it is not there, says so and returns undefined. */
export function findTool(name: string): string | undefined {
  return findFirstTool([name]);
}

/** The same for a program that has several names; the first is what is said to be missing. */
export function findFirstTool(names: readonly string[]): string | undefined {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  sayMissing(names[0]!);
  return undefined;
}
