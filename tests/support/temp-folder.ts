// Temporary folders that are gone when the test process ends.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folders: string[] = [];

/** A new empty folder below the system's temporary one; `name` helps who looks at it. */
export function tempFolder(name = "test"): string {
  const folder = mkdtempSync(join(tmpdir(), `timberline-${name}-`));
  if (folders.length === 0) process.once("exit", removeAll);
  folders.push(folder);
  return folder;
}

function removeAll(): void {
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
