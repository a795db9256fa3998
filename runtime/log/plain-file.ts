// Small files that can be made again from something else: written without a sync, because nothing waits for them
// and a torn one is recognised.

import type { Storage } from "../storage/storage.ts";

/** Replaces the content. After a crash the file may be old, new, torn or absent. */
export function writePlainFile(storage: Storage, path: string, bytes: Uint8Array): void {
  const file = storage.open(path, { create: true });
  try {
    if (file.size > 0) file.truncate(0);
    file.append(bytes);
  } finally {
    file.close();
  }
}
