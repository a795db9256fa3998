// Removing files and folders without stopping the event loop for the time the system needs to free large ones.
// Used by `file.ts` only.

import * as fs from "node:fs";
import { join } from "node:path";

/** Larger files are freed in the thread pool. */
const freedAtOnceMax = 4 * 1024 * 1024;

/** A gigabyte takes the system 100 ms to free: the thread that closes the last descriptor does it. */
export function removeTree(path: string): void {
  const entry = fs.lstatSync(path, { throwIfNoEntry: false });
  if (entry?.isDirectory()) {
    for (const name of fs.readdirSync(path)) removeTree(join(path, name));
  }
  if (!entry?.isFile() || entry.size < freedAtOnceMax) {
    fs.rmSync(path, { recursive: true, force: true });
    return;
  }
  const fd = fs.openSync(path, "r");
  try {
    fs.rmSync(path, { force: true });
  } finally {
    fs.close(fd, () => {});
  }
}
