// One instance of the core module. The functions of the hot interfaces take and return plain numbers, so the core's own
// exports are what a host of the component would call; calling them directly costs about 10 ns, through the
// component's glue 2 µs, and that glue is ten times the size of the core. Tests go both ways and compare.

import type { Root } from "./dist/core.js";

/** Functions whose lowered form is their own signature: addresses, lengths, offsets as numbers. */
export type RawCore = Root["heap"] &
  Omit<Root["checksums"], "crc32c"> &
  Omit<Root["batches"], "inspect"> &
  Root["records"] &
  Root["chunks"] &
  Root["indexes"] &
  Root["compaction"] & { readonly memory: WebAssembly.Memory };

/** The core imports nothing. */
export function createInstance(module: WebAssembly.Module): RawCore {
  return rawCore(new WebAssembly.Instance(module).exports);
}

/** "timberline:storage-core/heap@0.1.0#limit-memory" becomes limitMemory. */
export function rawCore(exports: WebAssembly.Exports): RawCore {
  const raw: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports)) {
    const method = name.slice(name.indexOf("#") + 1);
    raw[method.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = value;
  }
  return raw as unknown as RawCore;
}
